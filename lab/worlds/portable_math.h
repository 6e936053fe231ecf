// exp and log with the same bits on every CPU (the C library's change with the CPU's features): worlds draw their
// truth from them, and a world must be the same everywhere.
#pragma once

#include <vector>

namespace plumb::worlds {

double portable_exp(double x);
double portable_log(double x);

// exp(x - max) / sum, in order.
std::vector<double> portable_softmax(std::vector<double> logits);

}  // namespace plumb::worlds
