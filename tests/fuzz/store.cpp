// Checkpoints and run.h5: whole HDF5 files with a good seal whose content is not what a run writes. Attributes, texts
// and tensors of sound content are dropped, renamed, or given another type, shape or value, as the input says.
#include <fuzzer/FuzzedDataProvider.h>

#include "core/files/hdf5_file.h"
#include "lab/report/html.h"
#include "lab/store/checkpoint.h"
#include "lab/store/run_store.h"
#include "tests/fuzz/fuzz.h"

namespace plumb::fuzz {
namespace {

using files::Hdf5Content;
using files::Hdf5Reader;

struct Sample {
  files::Path path;
  Hdf5Content content;
};

// All that a file holds, to be written again with changes.
Hdf5Content content_of(const files::Path& path) {
  Hdf5Content content;
  const Hdf5Reader file(path);
  content.attributes[""] = file.attributes("");
  for (const auto& name : file.names()) {
    const std::string group = name.substr(0, name.rfind('/'));
    if (group != name) content.attributes[group] = file.attributes(group);
    if (!accepted([&] { content.tensors[name] = file.tensor(name); })) content.texts[name] = file.texts(name);
  }
  return content;
}

Hdf5Content sound_checkpoint() {
  const files::Path path = folder() / "sound.h5";
  store::Checkpoint c;
  c.step = 3;
  c.config = "[run]\nsteps = 5\n";
  c.isa = "avx2";
  c.tensors = {{"params/w", Tensor::from(std::vector<float>{1, 2, 3, 4}, {2, 2})},
               {"optim/m", Tensor::from(std::vector<double>{0.5}, {})},
               {"state/n", Tensor::from(std::vector<std::int64_t>{}, {0, 3})}};
  store::save_checkpoint(path, c);
  return content_of(path);
}

Hdf5Content sound_run() {
  const files::Path path = folder() / "sound-run.h5";
  store::RunContent run;
  run.config = "[run]\nsteps = 5\n";
  run.rows.metrics["loss"] = {{"loss", "nats", "of tokens"}, {1, 2}, {2.5, 2.0}};
  run.rows.timing["seconds"] = {{"seconds", "s", ""}, {1}, {0.5}};
  run.rows.provenance["isa"] = "avx2";
  run.rows.events = {{2, R"({"ending":"finished"})"}};
  store::write_run_h5(path, run);
  return content_of(path);
}

template <class Map>
typename Map::iterator any_of(Map& map, FuzzedDataProvider& in) {
  return std::next(map.begin(),
                   in.ConsumeIntegralInRange<std::ptrdiff_t>(0, static_cast<std::ptrdiff_t>(map.size()) - 1));
}

files::Attribute attribute(FuzzedDataProvider& in) {
  switch (in.ConsumeIntegralInRange(0, 2)) {
    case 0: return in.ConsumeRandomLengthString(24);
    case 1: return in.ConsumeFloatingPoint<double>();
    default: return in.ConsumeIntegral<std::int64_t>();
  }
}

Tensor tensor(FuzzedDataProvider& in) {
  constexpr DType dtypes[] = {DType::f64, DType::f32, DType::bf16, DType::i64, DType::i32, DType::u8};
  Shape shape;
  for (int d = in.ConsumeIntegralInRange(0, 3); d > 0; --d) shape.push_back(in.ConsumeIntegralInRange(0, 5));
  Tensor t = Tensor::zeros(shape, in.PickValueInArray(dtypes));
  in.ConsumeData(t.raw(), static_cast<std::size_t>(t.numel()) * size_of(t.dtype()));
  return t;
}

template <class Map, class Make>
void change(Map& map, FuzzedDataProvider& in, const Make& make) {
  if (map.empty()) return;
  const auto at = any_of(map, in);
  switch (in.ConsumeIntegralInRange(0, 3)) {
    case 0: map.erase(at); break;
    case 1: map[in.ConsumeRandomLengthString(24)] = at->second; break;
    case 2: std::swap(at->second, any_of(map, in)->second); break;
    default: at->second = make();
  }
}

void change_content(Hdf5Content& content, FuzzedDataProvider& in) {
  switch (in.ConsumeIntegralInRange(0, 2)) {
    case 0: return change(content.tensors, in, [&] { return tensor(in); });
    case 1:
      return change(content.texts, in, [&] {
        std::vector<std::string> lines(in.ConsumeIntegralInRange<std::size_t>(0, 4));
        for (auto& line : lines) line = in.ConsumeRandomLengthString(40);
        return lines;
      });
    default: change(any_of(content.attributes, in)->second, in, [&] { return attribute(in); });
  }
}

}  // namespace

void fuzz(std::string_view input) {
  static const Hdf5Content samples[] = {sound_checkpoint(), sound_run()};
  FuzzedDataProvider in(reinterpret_cast<const std::uint8_t*>(input.data()), input.size());
  Hdf5Content content = samples[in.ConsumeBool()];
  for (int changes = 0; changes < 4 && in.remaining_bytes() > 0; ++changes) change_content(content, in);
  const files::Path path = folder() / "hostile.h5";
  files::write_hdf5(path, content);
  accepted([&] { store::load_checkpoint(path); });
  accepted([&] { store::load_checkpoint(path, "params"); });
  accepted([&] { report::page_of({store::read_run(path)}); });
}

std::vector<std::string> seeds() {
  return {std::string(1, '\0'), std::string(1, '\1'), std::string("\0\0\0\3\1ab", 7)};
}

}  // namespace plumb::fuzz
