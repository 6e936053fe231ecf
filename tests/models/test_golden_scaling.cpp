// Parametrizations against the reference values of tests/golden: what becomes of the parameters of a transformer.
#include <gtest/gtest.h>

#include "models/gpt_scaling.h"
#include "tests/support/golden.h"

namespace plumb::models {
namespace {

using optim::Parametrization;

const std::map<std::string, Parametrization> rules{{"sp", Parametrization::sp},
                                                   {"mup_simple", Parametrization::mup_simple},
                                                   {"mup_intermediate", Parametrization::mup_intermediate},
                                                   {"mup_full", Parametrization::mup_full},
                                                   {"mup_table3", Parametrization::mup_table3},
                                                   {"mup_table8", Parametrization::mup_table8},
                                                   {"mup_table9", Parametrization::mup_table9},
                                                   {"u_mup", Parametrization::u_mup}};

GptOptions options_of(golden::Case& c) {
  GptOptions o{.vocab = 100};
  const auto whole = [&](const char* name) { return static_cast<std::int64_t>(c.number(name)); };
  o.width = whole("width");
  o.layers = whole("depth");
  o.heads = o.width / whole("head_dim");
  o.scaling = {.parametrization = c.choice("rule", rules),
               .base_width = whole("base_width"),
               .base_heads = whole("base_width") / whole("base_head_dim"),
               .sgd = c.text("optimizer") == "sgd"};
  (void)c.input("dims");  // the same numbers again
  // In the standard rule and its kin the embedding has 1/sqrt(width); u-muP knows a deviation of one only.
  const double std = c.number("embed_std");
  const Parametrization p = o.scaling.parametrization;
  if (p == Parametrization::mup_table3 || p == Parametrization::mup_table8 || p == Parametrization::mup_table9)
    o.embed_std = std;
  return o;
}

double deviation(const nn::Parameter& p) {
  return p.init.draw == nn::Draw::normal || p.init.draw == nn::Draw::truncated_normal ? p.init.scale : 0;
}

TEST(Golden, MupRules) {
  golden::for_each("p29_small_scale_proxies", "mup_rules", [](golden::Case& c) {
    const GptOptions o = options_of(c);
    Gpt model(o);
    std::map<std::string, nn::Parameter*> named;
    for (nn::Parameter* p : model.parameters()) named[p->name] = p;
    std::vector<double> init, lr, forward;
    double sum = 0;
    for (const std::string name :
         {"embedding.weight", "blocks.0.attn_norm.gain", "blocks.3.attn.k.weight", "blocks.1.attn.out.weight",
          "blocks.2.mlp.up.weight", "blocks.0.mlp.down.weight", "head"}) {
      const nn::Parameter& p = *named.at(name);
      init.push_back(deviation(p));
      lr.push_back(p.lr_multiplier);
      forward.push_back(p.multiplier);
      sum += p.lr_multiplier;
      EXPECT_NEAR(p.decay_multiplier * p.lr_multiplier, 1, 1e-15) << c.name() << " " << name;
    }
    c.expect("init_std", Tensor::from(init, {7}));
    c.expect("lr_multiplier", Tensor::from(lr, {7}));
    c.expect("forward_multiplier", Tensor::from(forward, {7}));
    c.expect("query_init_std", deviation(*named.at("blocks.0.attn.q.weight")));
    c.expect("attention_scale",
             optim::attention_scale(o.scaling, o.width / o.heads, o.scaling.base_width / o.scaling.base_heads));
    c.expect_loss(sum);
  });
}

}  // namespace
}  // namespace plumb::models
