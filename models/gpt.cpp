// The transformer: embedding, blocks, final norm, head.
#include "models/gpt.h"

#include <fmt/ranges.h>

#include <cmath>

#include "autograd/blame.h"
#include "autograd/checkpoint.h"
#include "models/gpt_block.h"
#include "models/gpt_scaling.h"

namespace plumb::models {

Gpt::~Gpt() = default;

namespace {

std::vector<std::int64_t> divisors(std::int64_t n) {
  std::vector<std::int64_t> all;
  for (std::int64_t d = 1; d <= n; ++d)
    if (n % d == 0) all.push_back(d);
  return all;
}

// Heads share the width out evenly, and rotary positions turn pairs of its entries.
Complaint heads_complaint(const GptOptions& o) {
  const bool rope = o.positions == Positions::rope;
  if (o.width % o.heads == 0 && (!rope || o.width / o.heads % 2 == 0)) return {};
  auto fitting = divisors(o.width);
  std::erase_if(fitting, [&](std::int64_t h) { return rope && o.width / h % 2 != 0; });
  const std::string choose =
      fitting.empty() ? "choose an even width" : fmt::format("choose one of {}", fmt::join(fitting, ", "));
  if (o.width % o.heads != 0) return {fmt::format("must divide width = {}, not be {}", o.width, o.heads), choose};
  return {fmt::format("= {} cuts width = {} into heads of {}, but rotary positions need an even number", o.heads,
                      o.width, o.width / o.heads),
          choose + ", or positions = \"learned\""};
}

}  // namespace

void GptOptions::fields(Fields& f) {
  // The upper bounds stop what must be a slip of the pen before it fills the memory.
  f("width", width).at_least(1).at_most(1 << 20).help("size of the residual stream");
  f("layers", layers).at_least(0).at_most(4096).help("number of blocks; 0 is a bigram model");
  f("heads", heads).at_least(1).help("attention heads; must divide width");
  f("kv_heads", kv_heads).at_least(0).help("key and value heads (grouped queries); 0 = as many as heads");
  f("context", context)
      .at_least(1)
      .at_most(1 << 24)
      .unit("tokens")
      .help("longest sequence; training uses sequences of this length");
  f("mlp_ratio", mlp_ratio).above(0).at_most(1024).help("hidden size of the two-layer network, in widths");
  f("activation", activation).one_of({"gelu", "gelu_tanh", "relu", "silu", "swiglu"}).help("of the two-layer network");
  f("positions", positions).one_of({"rope", "learned", "none"}).help("how positions enter");
  f("rope_base", rope_base).above(1).help("base of the rotary frequencies");
  f("norm", norm).one_of({"layernorm", "rmsnorm"}).help("normalisation of the residual stream");
  f("norm_placement", norm_placement)
      .one_of({"pre", "post_sublayer", "sandwich", "deepnorm"})
      .help("where the norms stand: x+f(N(x)), x+N(f(x)), x+N(f(N(x))), N(ax+f(x))");
  f("norm_eps", norm_eps).above(0).help("added to the variance");
  f("norm_unit_offset", norm_unit_offset).help("gains are stored as their distance from one");
  f("bias", bias).help("biases in linear layers and norms");
  f("qk_norm", qk_norm)
      .one_of({"none", "layernorm", "rmsnorm", "layernorm_full", "rmsnorm_full", "l2", "kappa"})
      .help("normalisation of queries and keys, per head or (full) over all heads");
  f("attn_scale", attn_scale)
      .one_of({"sqrt_d", "d", "fixed"})
      .help("attention logits times 1/sqrt(d), 1/d or attn_scale_value");
  f("attn_scale_value", attn_scale_value).above(0).help("used when attn_scale = \"fixed\"");
  f("attn_softcap", attn_softcap).at_least(0).help("z <- c tanh(z/c) on attention logits; 0 = off");
  f("final_softcap", final_softcap).at_least(0).help("the same on output logits; 0 = off");
  f("kappa", kappa).above(0).help("largest attention logit in units of sqrt(d), for qk_norm = \"kappa\"");
  f("squared_relu_attention", squared_relu_attention).help("weights relu(z)^2/sqrt(context) in place of softmax");
  f("tied_head", tied_head).help("the head reads the embedding table");
  f("residual_init_scaling", residual_init_scaling)
      .help("matrices that write into the stream start smaller by sqrt(2 layers)");
  f("embedding_norm", embedding_norm).help("a norm right after the embedding");
  f("embed_std", embed_std).at_least(0).help("standard deviation of the embedding; 0 = 1/sqrt(width)");
  f("embed_multiplier", embed_multiplier).above(0).help("the embedding is multiplied by it");
  f("logit_multiplier", logit_multiplier).above(0).help("output logits are multiplied by it");
  f("layer_scale", layer_scale).at_least(0).help("learned gain of each branch, starting here; 0 = none");
  f("dropout", dropout).at_least(0).below(1).help("probability of zeroing an entry of a branch");
  f.rule({"heads", "width"}, [this] { return heads_complaint(*this); });
  f.rule({"kv_heads", "heads"}, [this]() -> Complaint {
    if (kv_heads == 0 || heads % kv_heads == 0) return {};
    return {fmt::format("must divide heads = {}", heads),
            fmt::format("choose one of {}; 0 = as many as heads", fmt::join(divisors(heads), ", "))};
  });
}

Gpt::Gpt(const GptOptions& o)
    : o_(o), embedding_(o.vocab, o.width, o.embed_std > 0 ? o.embed_std : 1 / std::sqrt(static_cast<double>(o.width))) {
  require_fitting_scaling(o);
  if (o.vocab < 1) throw UserError(fmt::format("a vocabulary of {} makes no sense", o.vocab), "gpt");
  const nn::NormLayerOptions norm{.kind = o.norm, .bias = o.bias, .eps = o.norm_eps, .unit_offset = o.norm_unit_offset};
  positions_.shape = {o.context, o.width};
  positions_.role = nn::Role::input;
  positions_.lookup = true;
  positions_.fan_in = o.context;
  positions_.fan_out = o.width;
  positions_.init = {nn::Draw::normal, 0.02};
  if (o.embedding_norm) embedding_norm_ = std::make_unique<nn::Norm>(o.width, norm);
  final_norm_ = std::make_unique<nn::Norm>(o.width, norm);
  for (std::int64_t i = 0; i < o.layers; ++i) blocks_.push_back(std::make_unique<Block>(o, i));
  head_.shape = {o.vocab, o.width};
  head_.role = nn::Role::output;
  head_.fan_in = o.width;
  head_.fan_out = o.vocab;
  head_.init = {nn::Draw::truncated_normal, 1 / std::sqrt(static_cast<double>(o.width))};
  if (o.scaling.is_standard()) return;
  Gpt base(base_of(o));
  optim::parametrise(*this, base, o.scaling, o.layers);
  if (o.tied_head) head_.multiplier = optim::scales_of(head_, base.head_, o.scaling, o.layers).forward;
}

void Gpt::members(nn::Members& m) {
  m("embedding", embedding_);
  if (o_.positions == Positions::learned) m("positions", positions_);
  if (embedding_norm_) m("embedding_norm", *embedding_norm_);
  m("blocks", blocks_);
  m("final_norm", *final_norm_);
  if (!o_.tied_head) m("head", head_);
}

void GptTrace::record(const char* part, const Var& value) {
  const std::string scope = current_scope();
  outputs.push_back({scope.empty() ? part : scope + "." + part, value.value()});
}

Var Gpt::head_weight() const { return o_.tied_head ? embedding_.table.var : head_.var; }

Var Gpt::embed(const Tensor& tokens, const Tensor& start) const {
  if (tokens.dim() != 2) fail("gpt", "tokens must be [B, T], not {}", to_string(tokens.shape()));
  const std::int64_t b = tokens.size(0), t = tokens.size(1);
  Var x = embedding_(tokens);
  x = nn::scaled(x, o_.embed_multiplier);
  if (o_.positions == Positions::learned) {
    std::vector<std::int64_t> at, first(static_cast<std::size_t>(b), 0);
    if (start.defined()) first = start.to_vector<std::int64_t>();
    for (const auto s : first) {
      if (s + t > o_.context)
        throw UserError(fmt::format("{} tokens do not fit learned positions for {}", s + t, o_.context), "gpt",
                        "raise model.context, or use model.positions = \"rope\"");
      for (std::int64_t i = 0; i < t; ++i) at.push_back(s + i);
    }
    const Var p = embedding(positions_.var, Tensor::from(at, {b, t}).to(tokens.device()));
    x = x + nn::scaled(p, positions_.multiplier);
  }
  return embedding_norm_ ? (*embedding_norm_)(x) : x;
}

Var Gpt::features(const Tensor& tokens, const GptPass& pass) const {
  Var x = embed(tokens, {});
  if (pass.trace) {
    pass.trace->attention.resize(blocks_.size());
    pass.trace->record("embedding", x);
  }
  for (std::size_t i = 0; i < blocks_.size(); ++i) {
    const std::string name = "blocks." + std::to_string(i);
    const Scope here(name.c_str());
    const Key key = pass.key.at(i);
    nn::AttentionTrace* trace = pass.trace ? &pass.trace->attention[i] : nullptr;
    const Block* block = blocks_[i].get();
    if (pass.checkpoint_activations && !trace)
      x = checkpoint([block, pass, key](const std::vector<Var>& in) { return (*block)(in[0], pass, key, nullptr); },
                     {x});
    else x = (*block)(x, pass, key, trace);
  }
  return (*final_norm_)(x);
}

Var Gpt::logits(const Tensor& tokens, const GptPass& pass) const {
  const Var y = nn::scaled(linear(features(tokens, pass), head_weight()), logit_scale());
  return o_.final_softcap > 0 ? plumb::tanh(y / o_.final_softcap) * o_.final_softcap : y;
}

Var Gpt::token_logprobs(const Tensor& tokens, const Tensor& labels, const GptPass& pass) const {
  const Var x = features(tokens, pass);
  const Scope here("head");
  return plumb::token_logprobs(x, head_weight(), {}, labels, {.scale = logit_scale(), .softcap = o_.final_softcap});
}

GptCache Gpt::make_cache(std::int64_t rows, std::int64_t capacity, DType dtype, Device device) const {
  GptCache cache;
  const std::int64_t heads = o_.kv_heads ? o_.kv_heads : o_.heads, d = o_.width / o_.heads;
  // On the CPU the keys of one position lie apart, so that a query meets a vector of positions in one load.
  const auto keys = [&] {
    if (device != cpu_device) return Tensor::zeros({rows, capacity, heads, d}, dtype, device);
    return Tensor::zeros({rows, heads, d, capacity}, dtype, device).permute({0, 3, 1, 2});
  };
  for (std::size_t i = 0; i < blocks_.size(); ++i)
    cache.blocks.push_back(
        {keys(), Tensor::zeros({rows, capacity, heads, d}, dtype, device), Tensor::zeros({rows}, DType::i64, device)});
  if (blocks_.empty()) cache.blocks.push_back({{}, {}, Tensor::zeros({rows}, DType::i64, device)});
  return cache;
}

void GptCache::rewind(std::int64_t row) {
  for (auto& b : blocks) b.length.slice(0, row, row + 1).fill_(0);
}

Tensor Gpt::decode(const Tensor& tokens, GptCache& cache) const {
  const NoGrad off;
  Var x = embed(tokens, cache.length());
  for (std::size_t i = 0; i < blocks_.size(); ++i) x = blocks_[i]->decode(x, cache.blocks[i]);
  auto held = cache.length().to_vector<std::int64_t>();
  for (auto& n : held) n += tokens.size(1);
  for (auto& b : cache.blocks) b.length = Tensor::from(held, {tokens.size(0)}).to(tokens.device());
  x = (*final_norm_)(slice(x, 1, x.size(1) - 1, x.size(1)));
  Var y = nn::scaled(linear(x, head_weight()), logit_scale());
  if (o_.final_softcap > 0) y = plumb::tanh(y / o_.final_softcap) * o_.final_softcap;
  return y.value().select(1, 0);
}

double Gpt::forward_flops_per_token(std::int64_t length) const {
  const auto d = static_cast<double>(o_.width), t = static_cast<double>(length);
  const double kv = static_cast<double>(o_.kv_heads ? o_.kv_heads : o_.heads) / static_cast<double>(o_.heads);
  const double matrices = (o_.activation == nn::Activation::swiglu ? 3 : 2) * o_.mlp_ratio + 2 + 2 * kv;
  const double block = 2 * matrices * d * d + 2 * 2 * d * t / 2;  // the causal half
  return static_cast<double>(o_.layers) * block + 2 * d * static_cast<double>(o_.vocab);
}

}  // namespace plumb::models
