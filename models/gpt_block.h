// One block of the transformer.
#pragma once

#include "models/gpt.h"

namespace plumb::models {

class Block final : public nn::Module {
 public:
  explicit Block(const GptOptions& options);
  void members(nn::Members& m) override;
  Var operator()(const Var& x, const GptPass& pass, const Key& key, nn::AttentionTrace* trace) const;
  Var decode(const Var& x, nn::KvCache& cache) const;

 private:
  // Where the norms stand: x + f(norm(x)), x + norm(f(x)), x + norm(f(norm(x))), or norm(a x + f(x)).
  template <class F>
  Var branch(const Var& x, const nn::Norm* before, const nn::Norm* after, const nn::Parameter& gate, F&& f) const;

  GptOptions o_;
  nn::Attention attention_;
  nn::Mlp mlp_;
  std::unique_ptr<nn::Norm> norms_[4];  // before and after attention, before and after the network
  nn::Parameter gates_[2];
};

}  // namespace plumb::models
