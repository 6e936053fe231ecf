// SLEEF's scalar functions without fused multiply-add.
#include "lab/worlds/portable_math.h"

#include <algorithm>
#include <sleef.h>

namespace plumb::worlds {

double portable_exp(double x) { return Sleef_cinz_expd1_u10purec(x); }
double portable_log(double x) { return Sleef_cinz_logd1_u10purec(x); }

std::vector<double> portable_softmax(std::vector<double> logits) {
  if (logits.empty()) return logits;
  const double highest = *std::max_element(logits.begin(), logits.end());
  double sum = 0;
  for (double& x : logits) sum += (x = portable_exp(x - highest));
  for (double& x : logits) x /= sum;
  return logits;
}

}  // namespace plumb::worlds
