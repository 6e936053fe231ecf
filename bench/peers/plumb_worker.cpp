// One side of a race: trains and samples on command, so that compare.py can alternate it with others on the same cores.
//   peer_plumb CONFIG [KEY=VALUE]...
// Commands on stdin, one answer of JSON for each on stdout:
//   export FILE N     weights, configuration and the tokens of the first N batches, as HDF5
//   steps N           trains N steps: seconds, losses
//   sample ROWS N     N tokens for each of ROWS prompts: seconds
#include <nlohmann/json.hpp>

#include <chrono>
#include <fstream>
#include <iostream>
#include <sstream>

#include "core/files/hdf5_file.h"
#include "lab/config/read.h"
#include "lab/run/trainer.h"
#include "models/sampler.h"

namespace {

using namespace plumb;
using nlohmann::json;

lab::RunConfig config_of(int argc, char** argv) {
  lab::RunConfig config;
  read(load_config(argv[1], {argv + 2, argv + argc}), config);
  return config;
}

template <class F>
double seconds_of(const F& work) {
  const auto start = std::chrono::steady_clock::now();
  work();
  return std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
}

json export_to(const std::string& path, std::int64_t batches, lab::Trainer& trainer) {
  const auto& c = trainer.config();
  files::Hdf5Content file;
  for (const auto& slot : trainer.arena().slots())
    file.tensors["params/" + slot.parameter->name] = trainer.arena().value(slot).clone();
  for (std::int64_t i = 0; i < batches; ++i)
    file.tensors["tokens/" + std::to_string(i)] = trainer.data().batch(i, c.train.batch, c.model.context);
  file.attributes[""]["config"] = resolved_toml(c);
  files::write_hdf5(path, file);
  return {{"flops_per_token", trainer.train_flops_per_token()}};
}

json steps(std::int64_t n, lab::Trainer& trainer) {
  std::vector<double> losses;
  const double seconds = seconds_of([&] {
    for (std::int64_t i = 0; i < n; ++i) losses.push_back(trainer.step().loss);
  });
  return {{"seconds", seconds}, {"losses", losses}};
}

json sample(std::int64_t rows, std::int64_t tokens, lab::Trainer& trainer) {
  const std::vector<std::vector<std::int64_t>> prompts(static_cast<std::size_t>(rows), {1, 2, 3, 4});
  return {{"seconds", seconds_of([&] {
             models::sample(trainer.model(), prompts, {.max_tokens = tokens, .stop_tokens = {}}, Key(1));
           })}};
}

double peak_mib() {
  std::ifstream status("/proc/self/status");
  for (std::string line; std::getline(status, line);)
    if (line.starts_with("VmHWM:")) return std::stod(line.substr(6)) / 1024;
  return 0;
}

json answer(std::istream& in, lab::Trainer& trainer) {
  std::string verb, path;
  std::int64_t a = 0, b = 0;
  in >> verb;
  if (verb == "export" && in >> path >> a) return export_to(path, a, trainer);
  if (verb == "steps" && in >> a) return steps(a, trainer);
  if (verb == "sample" && in >> a >> b) return sample(a, b, trainer);
  throw UserError("is no command", verb);
}

}  // namespace

int main(int argc, char** argv) try {
  if (argc < 2) return std::cerr << "usage: peer_plumb CONFIG [KEY=VALUE]...\n", 2;
  lab::Trainer trainer(config_of(argc, argv));
  for (std::string line; std::getline(std::cin, line);) {
    std::istringstream in(line);
    json out = answer(in, trainer);
    out["peak_mib"] = peak_mib();
    std::cout << out << std::endl;
  }
} catch (const std::exception& e) {
  std::cerr << e.what() << "\n";
  return 1;
}
