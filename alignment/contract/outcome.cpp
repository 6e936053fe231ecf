// Folding and seeding of loss terms.
#include "alignment/contract/outcome.h"

namespace plumb::alignment {

double fold(double before, const Tensor& rows_B) {
  for (const double x : rows_B.to_vector<double>()) before += x;
  return before;
}

Root seeded(const Term& term, double whole_count) {
  if (!(whole_count > 0))
    throw UserError(fmt::format("term \"{}\" counts nothing: every position is masked", term.name), "loss",
                    "look at the masks and labels of this batch");
  const Var& v = term.rows_B;
  return {v, Tensor::full(v.shape(), term.weight / whole_count, v.dtype(), v.device())};
}

double Outcome::value() const {
  double total = 0;
  for (const Term& t : loss) total += t.weight * fold(0, t.rows_B.value()) / t.count;
  return total;
}

void backward(const Outcome& outcome) {
  std::vector<Root> roots;
  for (const Term& t : outcome.loss) roots.push_back(seeded(t, t.count));
  plumb::backward(roots);
}

}  // namespace plumb::alignment
