// One block of the transformer.
#pragma once

#include "models/gpt.h"

namespace plumb::models {

class Block final : public nn::Module {
 public:
  Block(const GptOptions& options, std::int64_t index);
  void members(nn::Members& m) override;
  Var operator()(const Var& x, const GptPass& pass, const Key& key, nn::AttentionTrace* trace) const;
  Var decode(const Var& x, nn::KvCache& cache) const;

 private:
  // Branch 0 (attention) or 1 (the network). Where the norms stand: x + f(norm(x)), x + norm(f(x)), x + norm(f(norm(x))),
  // or norm(a x + f(x)); a rule of depth puts weights before both addends.
  template <class F>
  Var branch(int which, const Var& x, F&& f) const;

  GptOptions o_;
  nn::Attention attention_;
  nn::Mlp mlp_;
  std::unique_ptr<nn::Norm> norms_[4];  // before and after attention, before and after the network
  nn::Parameter gates_[2];
  optim::Residual residual_[2];
};

}  // namespace plumb::models
