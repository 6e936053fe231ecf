// What an objective gives back: terms of a loss and metrics, each as sums over examples with their counts. Only the
// training loop divides, once, by the count of the whole optimiser batch, so that accumulation is the large batch.
#pragma once

#include <string>
#include <vector>

#include "autograd/backward.h"
#include "autograd/ops.h"

namespace plumb::alignment {

enum class Unit { rows, tokens };

// weight * sum / count: `rows_B` holds one sum for each example of the (micro-)batch.
struct Term {
  std::string name;
  Var rows_B;
  Unit unit = Unit::rows;
  double count = 0;  // of this micro-batch, in `unit`
  double weight = 1;
};

struct Metric {
  std::string name;  // as logged: "accuracy"
  Tensor rows_B;     // one sum for each example
  double count = 0;
};

struct Outcome {
  std::vector<Term> loss;
  std::vector<Metric> metrics;

  // Stand-alone use: the loss as a number and its gradient, divided by its own counts.
  double value() const;
};

// A left fold in f64, example by example, in order: what any number of micro-batches agree on.
double fold(double before, const Tensor& rows_B);

// Roots for backward(): each term seeded with weight / count of the whole optimiser batch.
Root seeded(const Term& term, double whole_count);
void backward(const Outcome& outcome);

}  // namespace plumb::alignment
