// Scalar functions whose bits do not change with the CPU (glibc's exp, log, cos and pow may), for host code.
#pragma once

namespace plumb::exact {

double exp(double x);
double log(double x);
double tanh(double x);
double pow(double x, double y);
double cos_pi(double x);  // cos(pi x)

}  // namespace plumb::exact
