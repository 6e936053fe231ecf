// SLEEF's deterministic scalar functions; the fma form gives the same bits as the vector forms.
#include "core/exact_math.h"

#include <sleef.h>

#include "core/cpu/isa.h"

// The header declares the fma forms only to code compiled for fma; the library always has them.
extern "C" {
double Sleef_finz_expd1_u10purecfma(double);
double Sleef_finz_logd1_u10purecfma(double);
double Sleef_finz_tanhd1_u10purecfma(double);
double Sleef_finz_powd1_u10purecfma(double, double);
double Sleef_finz_cospid1_u05purecfma(double);
}

namespace plumb::exact {
namespace {

bool fused() {
  static const bool yes = cpu::isa() != cpu::Isa::baseline;
  return yes;
}

}  // namespace

double exp(double x) { return fused() ? Sleef_finz_expd1_u10purecfma(x) : Sleef_cinz_expd1_u10purec(x); }
double log(double x) { return fused() ? Sleef_finz_logd1_u10purecfma(x) : Sleef_cinz_logd1_u10purec(x); }
double tanh(double x) { return fused() ? Sleef_finz_tanhd1_u10purecfma(x) : Sleef_cinz_tanhd1_u10purec(x); }
double pow(double x, double y) {
  return fused() ? Sleef_finz_powd1_u10purecfma(x, y) : Sleef_cinz_powd1_u10purec(x, y);
}
double cos_pi(double x) { return fused() ? Sleef_finz_cospid1_u05purecfma(x) : Sleef_cinz_cospid1_u05purec(x); }

}  // namespace plumb::exact
