// Writes what Plumb says of the transformers of gpt_cases.h, for gpt_in_pytorch.py to compute again: one HDF5 file with
// options, weights, tokens, labels, logits, loss and the gradient of every parameter, in f64 and f32.
//   cmake --build build --target export_gpt && build/tests/export_gpt /tmp/gpt.h5
#include <fmt/format.h>

#include <cstdio>

#include "core/files/hdf5_file.h"
#include "lab/config/read.h"
#include "tests/peers/gpt_cases.h"

namespace plumb::peers {
namespace {

void add(files::Hdf5Content& file, const std::string& group, const GptCase& c) {
  auto& about = file.attributes[group];
  about["name"] = c.name;
  about["options"] = resolved_toml(c.options);
  about["z_loss"] = objective.z_loss;
  about["z_target"] = objective.z_target;
  file.tensors[group + "/tokens"] = tokens_of(c);
  file.tensors[group + "/labels"] = labels_of(c);
  for (const DType dtype : {DType::f64, DType::f32}) {
    const std::string here = group + "/" + std::string(name_of(dtype));
    const auto answer = answer_of(c, dtype);
    file.attributes[here]["loss"] = answer.loss;
    file.tensors[here + "/logits"] = answer.logits;
    for (const auto& [name, value] : answer.weights) file.tensors[here + "/weights/" + name] = value;
    for (const auto& [name, value] : answer.grads) file.tensors[here + "/grads/" + name] = value;
  }
}

}  // namespace
}  // namespace plumb::peers

int main(int argc, char** argv) {
  if (argc != 2) return std::fprintf(stderr, "usage: export_gpt FILE.h5\n"), 2;
  plumb::files::Hdf5Content file;
  for (const std::int64_t scale : {1, 8}) {
    int i = 0;
    for (const auto& c : plumb::peers::gpt_cases(scale))
      plumb::peers::add(file, fmt::format("scale{}/case{}", scale, i++), c);
  }
  plumb::files::write_hdf5(argv[1], file);
}
