// A run's memory, told before it starts, against what it took; and the refusal of what does not fit.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/resource.h>

#include <cstdlib>
#include <fstream>

#include "core/storage.h"
#include "lab/run/available_memory.h"
#include "lab/run/memory_estimate.h"
#include "tests/lab/run_support.h"
#include "tests/lab/text_support.h"
#include "tests/models/gpt_variants.h"

namespace plumb::lab {
namespace {

using namespace test;
using testing::HasSubstr;

RunConfig sized(std::int64_t width, std::int64_t layers, std::int64_t context, std::int64_t batch) {
  RunConfig c = tiny_config(2);
  c.data.copy_language.length = context + 1;
  c.model.width = width, c.model.layers = layers, c.model.context = context;
  c.train.batch = batch;
  return c;
}

template <class Change>
RunConfig with(RunConfig c, Change&& change) {
  change(c);
  return c;
}

// The peak of memory_stats() over two steps of training.
double peak_of_training(const RunConfig& c) {
  const auto before = static_cast<double>(memory_stats().in_use);
  reset_peak_memory();
  Trainer trainer(c);
  trainer.step();
  trainer.step();
  return static_cast<double>(memory_stats().peak) - before;
}

void expect_tensors_as_estimated(const RunConfig& c) {
  const double estimated = estimate_memory(c).tensors, measured = peak_of_training(c);
  EXPECT_NEAR(estimated, measured, 0.01 * measured + 16384);
}

TEST(MemoryEstimate, KnowsTheTensorsOfTrainingOfEverySize) {
  for (const std::int64_t width : {64, 256})
    for (const std::int64_t layers : {0, 1, 3}) {
      SCOPED_TRACE(fmt::format("width {}, {} layers", width, layers));
      expect_tensors_as_estimated(sized(width, layers, 24, 4));
    }
  expect_tensors_as_estimated(sized(512, 1, 16, 2));
}

TEST(MemoryEstimate, KnowsTheTensorsOfEveryWayToTrain) {
  const RunConfig base = sized(64, 2, 16, 12);
  const std::vector<std::pair<const char*, std::function<void(RunConfig&)>>> ways{
      {"micro-batches", [](RunConfig& c) { c.train.micro_batch = 5; }},
      {"one at a time", [](RunConfig& c) { c.train.batch = 20, c.train.micro_batch = 1; }},
      {"leaves", [](RunConfig& c) { c.train.leaves = 4, c.train.micro_batch = 1; }},
      {"recomputation", [](RunConfig& c) { c.train.checkpoint_activations = true; }},
      {"bf16", [](RunConfig& c) { c.train.precision = Precision::bf16; }},
      {"f64", [](RunConfig& c) { c.train.precision = Precision::f64; }},
      {"average", [](RunConfig& c) { c.train.ema = 0.9; }},
      {"large tied head", [](RunConfig& c) { c.data.copy_language.vocab = 2048, c.model.tied_head = true; }},
      {"dropout", [](RunConfig& c) { c.model.dropout = 0.1; }},
      {"z-loss", [](RunConfig& c) { c.loss.z_loss = 1e-4; }},
      {"lion", [](RunConfig& c) { c.optim.rule = optim::Rule::lion; }},
      {"stable", [](RunConfig& c) { c.optim.rule = optim::Rule::stable; }},
      {"muon", [](RunConfig& c) { c.optim.rule = optim::Rule::muon; }}};
  for (const auto& [name, way] : ways) {
    SCOPED_TRACE(name);
    expect_tensors_as_estimated(with(base, way));
  }
}

TEST(MemoryEstimate, KnowsTheTensorsOfEveryTransformer) {
  for (const auto& variant : models::variants()) {
    SCOPED_TRACE(variant.name);
    expect_tensors_as_estimated(with(sized(48, 2, 16, 4), [&](RunConfig& c) {
      c.model = variant.options;
      c.model.width = 48, c.model.context = 16;
    }));
  }
}

double status(const std::string& name) {  // bytes; 0 where there is no such line
  std::ifstream file("/proc/self/status");
  for (std::string word; file >> word;)
    if (double kilobytes = 0; word == name + ":" && file >> kilobytes) return kilobytes * 1024;
  return 0;
}

// Ends this process, which has done nothing else: with 0 when the estimate is near the most that it held in its life.
[[noreturn]] void run_and_compare(const RunConfig& c) {
  const Folder folder;
  const double estimated = estimate_memory(c).total();
  start(c, folder / "run");
  const double ratio = estimated / status("VmHWM");
  fmt::print(stderr, "the estimate is {:.3f} of the peak\n", ratio);
  std::filesystem::remove_all(folder.path());
  std::_Exit(std::abs(ratio - 1) <= 0.15 ? 0 : 1);
}

// 32,000 pieces, and a text of some of them.
void use_large_vocabulary(const Folder& folder, RunConfig& c) {
  std::vector<std::pair<std::string, float>> pieces;
  std::string text;
  for (int i = 0; i < 32000; ++i) {
    pieces.emplace_back(fmt::format("<{}>", i), -1);
    if (i % 7 == 0) text += pieces.back().first;
  }
  std::ofstream(folder / "words.model") << testing_support::tiny_sentencepiece_model(pieces);
  std::ofstream(folder / "text.txt") << text;
  c.data.kind = DataKind::text;
  c.data.text.path = {(folder / "text.txt").string()};
  c.data.text.tokenizer = (folder / "words.model").string();
}

TEST(MemoryEstimateDeathTest, IsWhatTheProcessTakes) {
#if defined(__SANITIZE_ADDRESS__)
  GTEST_SKIP() << "the sanitizer takes memory of its own";
#endif
  if (status("VmHWM") == 0) GTEST_SKIP() << "the kernel does not tell";
  const Folder folder;
  const std::vector<std::pair<const char*, RunConfig>> runs{
      {"wide", sized(512, 1, 32, 4)},
      {"narrow, long", sized(64, 2, 512, 6)},
      {"recomputation and an average", with(sized(256, 3, 32, 8),
                                            [](RunConfig& c) {
                                              c.train.checkpoint_activations = true;
                                              c.train.ema = 0.9;
                                            })},
      {"32,003 words, tied, bf16", with(sized(64, 1, 32, 8),
                                        [&](RunConfig& c) {
                                          use_large_vocabulary(folder, c);
                                          c.model.tied_head = true;
                                          c.train.precision = Precision::bf16;
                                        })},
      {"a large table", with(sized(64, 1, 32, 4), [](RunConfig& c) { c.data.copy_language.vocab = 2048; })}};
  GTEST_FLAG_SET(death_test_style, "threadsafe");  // a new process, not a copy of this one and of its memory
  for (const auto& [name, config] : runs) EXPECT_EXIT(run_and_compare(config), testing::ExitedWithCode(0), "") << name;
}

TEST(MemoryEstimate, TakesNoMemoryItself) {
  const RunConfig huge = sized(16384, 100, 2048, 1024);
  const auto before = memory_stats();
  EXPECT_GT(estimate_memory(huge).total(), 1e13);
  EXPECT_EQ(memory_stats().in_use, before.in_use);
  EXPECT_LT(memory_stats().cached - before.cached, std::size_t{1} << 20);
  EXPECT_EQ(memory_stats(dry_device).in_use, 0u);
  EXPECT_EQ(memory_stats(dry_device).cached, 0u);
}

// Without the program itself, which is measured: under a sanitizer it grows from one estimate to the next.
double need(const RunConfig& c, Beginning beginning = Beginning::fresh) {
  const auto e = estimate_memory(c, beginning);
  return e.total() - e.program;
}

TEST(MemoryEstimate, CountsACheckpointThatWasRead) {
  const RunConfig c = sized(64, 2, 32, 8);
  const double fresh = need(c), parameters = estimate_memory(c).parts.at(0).bytes;
  EXPECT_NEAR(need(c, Beginning::from_parameters) - fresh, parameters, 65536);
  EXPECT_NEAR(need(c, Beginning::resumed) - fresh, 3 * parameters, 65536);
}

TEST(RequireMemory, NamesTheLargestMicroBatchThatFits) {
  const RunConfig c = sized(64, 2, 64, 64);
  const auto pieces = [&](std::int64_t rows, bool recompute = false) {
    return need(with(c, [&](RunConfig& x) {
      x.train.micro_batch = rows;
      x.train.checkpoint_activations = recompute;
    }));
  };
  const auto refusal = [&](double available) {
    return error_of([&] { require_memory(c, Beginning::fresh, available, "the machine"); });
  };
  constexpr double slack = 65536;
  EXPECT_EQ(refusal(need(c) + slack), "");
  EXPECT_THAT(refusal(need(c) - slack),
              HasSubstr("the run needs about " + bytes_text(need(c)) + " of memory, and the machine leaves"));
  EXPECT_THAT(refusal(pieces(16) + slack), HasSubstr("set train.micro_batch = 16: the same bits"));
  EXPECT_THAT(refusal(pieces(16) - slack), HasSubstr("set train.micro_batch = 8: the same bits"));
  ASSERT_LT(pieces(1, true), pieces(1) - slack);
  EXPECT_THAT(refusal(pieces(1) - slack), HasSubstr("set train.micro_batch = "));
  EXPECT_THAT(refusal(pieces(1) - slack), HasSubstr(" and train.checkpoint_activations = true: the same bits"));
  EXPECT_THAT(refusal(1000), HasSubstr("even one sequence at a time"));
  EXPECT_THAT(refusal(1000), HasSubstr("model.width, model.layers or model.context"));
}

TEST(RequireMemory, RefusesARunBeforeAnythingIsWritten) {
  const Folder folder;
  const auto config = (folder / "run.toml").string(), run = (folder / "run").string();
  std::ofstream(config) << resolved_toml(sized(16384, 100, 2048, 1024));
  for (const std::vector<std::string>& words :
       {std::vector<std::string>{"train", config, "--out", run}, {"train", config, "--dry-run"}}) {
    const Ran ran = plumb(words);
    EXPECT_EQ(ran.code, 1);
    EXPECT_THAT(ran.err, HasSubstr("the run needs about "));
    EXPECT_THAT(ran.err, HasSubstr("hint: even one sequence at a time"));
  }
  EXPECT_FALSE(std::filesystem::exists(run));
  const Ran doctor = plumb({"doctor", config});
  EXPECT_EQ(doctor.code, 0);
  EXPECT_THAT(doctor.out, HasSubstr("activations kept for backward"));
  EXPECT_THAT(doctor.out, HasSubstr("it does not fit: no step was taken"));
}

TEST(RequireMemory, DoctorShowsTheEstimateBesideTheMeasurement) {
  const Folder folder;
  std::ofstream(folder / "run.toml") << resolved_toml(sized(64, 2, 32, 8));
  const Ran ran = plumb({"doctor", (folder / "run.toml").string()});
  EXPECT_EQ(ran.code, 0);
  EXPECT_THAT(ran.out, HasSubstr("(measured "));
  EXPECT_THAT(ran.out, HasSubstr("the whole process"));
}

// A root folder of the kernel's files.
class Machine {
 public:
  explicit Machine(double mebibytes) {
    write("proc/meminfo", fmt::format("MemTotal: 9999999 kB\nMemAvailable: {:.0f} kB\n", mebibytes * 1024));
    write("proc/self/statm", "100 50 10 5 0 20 0\n");
  }
  void write(const std::string& path, const std::string& text) const {
    std::filesystem::create_directories((folder_ / path).parent_path());
    std::ofstream(folder_ / path) << text;
  }
  void group(const std::string& path, const char* limit, const char* usage, const char* stat) const {
    const bool first = path.starts_with("sys/fs/cgroup/memory");
    write(path + (first ? "/memory.limit_in_bytes" : "/memory.max"), limit);
    write(path + (first ? "/memory.usage_in_bytes" : "/memory.current"), usage);
    write(path + "/memory.stat", stat);
  }
  AvailableMemory available() const { return available_memory(folder_.path()); }

 private:
  Folder folder_;
};

constexpr double mib = 1 << 20;

TEST(AvailableMemory, IsWhatTheMachineHasWhereNothingLimits) {
  const Machine machine(500);
  EXPECT_EQ(machine.available().bytes, 500 * mib);
  EXPECT_EQ(machine.available().limit, "the machine");
  machine.write("proc/self/cgroup", "0::/\n");
  machine.group("sys/fs/cgroup", "max\n", "1048576\n", "");
  EXPECT_EQ(machine.available().bytes, 500 * mib);
}

TEST(AvailableMemory, IsWhatTheNarrowestControlGroupLeaves) {
  const Machine second(500);
  second.write("proc/self/cgroup", "0::/outer/inner\n");
  second.group("sys/fs/cgroup/outer/inner", "max\n", "1048576\n", "");
  second.group("sys/fs/cgroup/outer", "104857600\n", "31457280\n", "active_file 7\ninactive_file 10485760\n");
  EXPECT_EQ(second.available().bytes, (100 - 30 + 10) * mib);
  EXPECT_EQ(second.available().limit, "the control group");

  const Machine first(500);
  first.write("proc/self/cgroup", "5:cpu:/a\n4:memory:/a/b\n0::/\n");
  first.group("sys/fs/cgroup/memory/a/b", "104857600\n", "31457280\n", "total_inactive_file 1048576\n");
  EXPECT_EQ(first.available().bytes, (100 - 30 + 1) * mib);

  const Machine container(500);  // the path is that of the host; only the root is there
  container.write("proc/self/cgroup", "4:cpu,memory:/docker/0123\n");
  container.group("sys/fs/cgroup/memory", "104857600\n", "104857600\n", "");
  EXPECT_EQ(container.available().bytes, 0);
}

TEST(AvailableMemory, HeedsTheLimitOfTheProcess) {
  const AvailableMemory before = available_memory();
  EXPECT_GT(before.bytes, 0);
  rlimit old{};
  getrlimit(RLIMIT_DATA, &old);
  const rlimit narrow{std::min<rlim_t>(rlim_t{1} << 50, old.rlim_max), old.rlim_max};
  setrlimit(RLIMIT_DATA, &narrow);
  EXPECT_LE(available_memory().bytes, before.bytes + 1e9);
  const Machine vast(1e12);
  EXPECT_EQ(vast.available().limit, "ulimit -d");
  EXPECT_EQ(vast.available().bytes,
            static_cast<double>(narrow.rlim_cur) - 20.0 * static_cast<double>(sysconf(_SC_PAGE_SIZE)));
  setrlimit(RLIMIT_DATA, &old);
}

TEST(AvailableMemory, SizesRead) {
  EXPECT_EQ(bytes_text(0), "0 B");
  EXPECT_EQ(bytes_text(1023), "1023 B");
  EXPECT_EQ(bytes_text(1024), "1.0 KiB");
  EXPECT_EQ(bytes_text(1536 * mib), "1.5 GiB");
  EXPECT_EQ(bytes_text(1e30), "867361737988.4 EiB");
}

}  // namespace
}  // namespace plumb::lab
