// The loop, verify and blame where something is missing, odd or too large.
#include <gmock/gmock.h>

#include <cmath>
#include <thread>

#include "core/cpu/isa.h"
#include "core/parallel.h"
#include "lab/run/available_memory.h"
#include "lab/run/origin.h"
#include "lab/run/verify.h"
#include "lab/signals.h"
#include "lab/store/note.h"
#include "tests/lab/run_support.h"

namespace plumb::lab {
namespace {

using namespace test;
using testing::HasSubstr;

// The journal of a run once more, each value passed through `change`; what is NaN then is left out.
void rewrite(const files::Path& run, const std::function<double(const std::string&, std::int64_t, double)>& change) {
  const auto content = store::read_journal(run / "journal");
  std::filesystem::remove(run / "journal");
  store::Journal journal = store::Journal::create(run / "journal");
  for (const auto& [key, value] : content.provenance) journal.provenance(key, value);
  for (const auto& [name, series] : content.metrics)
    for (std::size_t i = 0; i < series.steps.size(); ++i)
      if (const double x = change(name, series.steps[i], series.values[i]); !std::isnan(x))
        journal.metrics(series.steps[i], std::vector<store::NamedValue>{{name, x}});
  for (const std::int64_t step : content.checkpoints) journal.checkpoint(step);
  for (const auto& event : content.events) journal.event(event.step, event.json);
}

TEST(Verify, NamesTheValueThatIsNotWhatItWas) {
  const Folder folder;
  RunConfig c = tiny_config();
  c.loss.z_loss = 1e-3;
  start(c, folder / "run");
  for (const std::string wrong : {"loss", "grad_norm", "log_z", "z_loss", "val_loss"}) {
    std::filesystem::remove_all(folder / "bad");
    std::filesystem::copy(folder / "run", folder / "bad", std::filesystem::copy_options::recursive);
    rewrite(folder / "bad", [&](const std::string& name, std::int64_t step, double x) {
      return name == wrong && step == 8 ? x + 1 : x;
    });
    const Verdict v = verify_run((folder / "bad").string(), true);
    EXPECT_FALSE(v.equal);
    EXPECT_THAT(v.difference, testing::StartsWith("step 8: " + wrong + " was "));
  }
}

TEST(Verify, ComparesWhatIsThere) {
  const Folder folder;
  start(tiny_config(), folder / "run");
  rewrite(folder / "run", [](const std::string& name, std::int64_t step, double x) {
    return name == "grad_norm" || (name == "loss" && step % 2) ? std::nan("") : x;
  });
  const Verdict some = verify_run((folder / "run").string(), true);
  EXPECT_TRUE(some.equal) << some.difference;
  EXPECT_EQ(some.compared_rows, 6 + 12 + 12 + 3);  // loss, log_z, z_loss, val_loss
  std::filesystem::remove_all(folder / "run/ckpt");
  const Verdict rows = verify_run((folder / "run").string(), true);
  EXPECT_TRUE(rows.equal);
  EXPECT_EQ(rows.compared_checkpoints, 0);
}

TEST(Verify, StopsWhenAskedTo) {
  const Folder folder;
  start(tiny_config(), folder / "run");
  request_stop();
  EXPECT_THROW(verify_run((folder / "run").string(), true), Interrupted);
  clear_stop();
  EXPECT_TRUE(verify_run((folder / "run").string(), true).equal);
}

RunConfig diverging() {
  RunConfig c = tiny_config();
  c.run.on_divergence = OnDivergence::record;
  c.loss.z_loss = 1;
  c.loss.z_target = 1e308;  // beyond f32
  return c;
}

TEST(Diverged, ARunIsVerifiedToWhereItEndedAndTriedAgainByResume) {
  const Folder folder;
  const RunOutcome out = start(diverging(), folder / "run");
  EXPECT_EQ(out.ending, Ending::diverged);
  EXPECT_EQ(verify_run((folder / "run").string(), true).steps, 0);
  const RunOutcome again = resume(folder / "run");
  EXPECT_EQ(again.ending, Ending::diverged);
  EXPECT_EQ(again.blame, out.blame);
}

TEST(Resume, IsNotMisledByEventsOfOthers) {
  const Folder folder;
  start(tiny_config(), folder / "run");
  std::filesystem::remove(folder / "run/ckpt/000012.h5");
  store::Journal::open(folder / "run/journal").event(12, R"({"note":"by hand"})");
  EXPECT_EQ(summarise(store::read_run(folder / "run")).status, "unfinished");
  EXPECT_EQ(resume(folder / "run").ending, Ending::finished);
  EXPECT_TRUE(std::filesystem::exists(folder / "run/ckpt/000012.h5"));
}

TEST(Resume, WarnsOfAnotherInstructionSet) {
  const Folder folder;
  files::set_fault(files::Fault{files::Op::rename, 6, files::Fault::Kind::always});
  EXPECT_NE(error_of([&] { start(tiny_config(), folder / "run"); }), "");
  files::set_fault(std::nullopt);
  const store::CheckpointFolder checkpoints(folder / "run/ckpt");
  const auto path = checkpoints.path_of(checkpoints.steps().back());
  store::Checkpoint last = store::load_checkpoint(path);
  last.isa = "abacus";
  store::save_checkpoint(path, last);
  const auto warnings = resume(folder / "run").warnings;
  ASSERT_EQ(warnings.size(), 1u);
  EXPECT_EQ(warnings[0], fmt::format("the checkpoint was made with abacus, this process runs {}: the bits will differ",
                                     cpu::name_of(cpu::isa())));
}

TEST(Start, FromParametersBeginsTheAverageThere) {
  const Folder folder;
  RunConfig c = tiny_config();
  c.train.ema = 0.5;
  start(c, folder / "a");
  c.run.steps = 1;
  start(c, folder / "b", (folder / "a").string());
  Trainer trainer(c);
  trainer.load_parameters(read_origin((folder / "a").string()).parameters);
  std::map<std::string, Tensor> state;
  for (const auto& t : trainer.state()) state[t.name] = t.value;
  for (const auto& s : trainer.arena().slots()) {
    const std::string& name = s.parameter->name;
    EXPECT_TRUE(same_bits(state.at("params/" + name), state.at("state/ema/" + name))) << name;
  }
  EXPECT_TRUE(verify_run((folder / "b").string(), true).equal);
}

TEST(Start, ChecksMemoryUnlessToldNotTo) {
  RunConfig c = tiny_config();
  c.train.batch = 1 << 20;
  c.model.context = 1023;
  c.data.copy_language.length = 1024;
  c.run.steps = 1;
  const Folder folder;
  EXPECT_THAT(error_of([&] { start(c, folder / "run"); }), HasSubstr("memory"));
  EXPECT_FALSE(std::filesystem::exists(folder / "run"));
  EXPECT_NO_THROW(start_run(tiny_config(), {.folder = (folder / "b").string(), .quiet = true, .check_memory = false}));
}

TEST(FirstDifference, SeesWhatADoubleCannotSay) {
  const std::vector<files::NamedTensor> a{{"w", Tensor::of<std::int64_t>({std::int64_t{1} << 53})}},
      b{{"w", Tensor::of<std::int64_t>({(std::int64_t{1} << 53) + 1})}};
  EXPECT_EQ(first_difference(a, b), "w differs beyond the digits of a double");
}

TEST(CompareRuns, TakesTheNewestCheckpointThatBothHave) {
  const Folder folder;
  start(tiny_config(), folder / "a");
  start(tiny_config(), folder / "b");
  std::filesystem::remove(folder / "b/ckpt/000012.h5");
  EXPECT_TRUE(compare_runs((folder / "a").string(), (folder / "b").string()).equal());
  const store::CheckpointFolder checkpoints(folder / "b/ckpt");
  store::Checkpoint last = store::load_checkpoint(checkpoints.path_of(9));
  last.tensors[0].value = last.tensors[0].value.clone();
  last.tensors[0].value.fill_(0.25);
  store::save_checkpoint(checkpoints.path_of(9), last);
  EXPECT_THAT(compare_runs((folder / "a").string(), (folder / "b").string()).tensors.value_or(""),
              HasSubstr(last.tensors[0].name + " differs first at index 0"));
}

TEST(Summary, SaysWhatIsDamagedOrNotThereYet) {
  store::RunContent run;
  run.name = "r";
  run.config = resolved_toml(tiny_config());
  run.rows.metrics["loss"];
  EXPECT_EQ(summarise(run).status, "unfinished");
  EXPECT_FALSE(summarise(run).loss);
  run.damage = "journal: damaged";
  EXPECT_EQ(summarise(run).status, "damaged");
}

TEST(Report, OfARunWithoutAStepHasNoPictures) {
  const Folder folder;
  files::make_folders(folder / "run");
  files::write_atomically(folder / "run/config.toml", resolved_toml(tiny_config()));
  store::Journal::create(folder / "run/journal");
  EXPECT_EQ(write_report({(folder / "run").string()}), (folder / "run/report.html").string());
  EXPECT_FALSE(std::filesystem::exists(folder / "run/loss.svg"));
}

// What a person sees of a run of seconds: the share of what the processor can do, in the type of its products.
TEST(Start, OfSecondsShowsTheShareOfThePeak) {
  for (const Precision precision : {Precision::f32, Precision::f64, Precision::bf16}) {
    const Folder folder;
    RunConfig c = tiny_config(1000000);
    c.run.log_every = c.run.eval_every = 1000000;
    c.checkpoint.every = 1000000;
    c.train.precision = precision;
    testing::internal::CaptureStderr();
    std::thread stopping([] {
      std::this_thread::sleep_for(std::chrono::milliseconds(1500));
      request_stop();
    });
    EXPECT_EQ(start_run(c, {.folder = (folder / "run").string()}).ending, Ending::interrupted);
    stopping.join();
    clear_stop();
    EXPECT_THAT(testing::internal::GetCapturedStderr(), HasSubstr("% of peak"));
  }
}

TEST(Flops, OfRecomputedActivationsAreMore) {
  RunConfig c = tiny_config();
  const double kept = Trainer(c).train_flops_per_token();
  c.train.checkpoint_activations = true;
  const double again = Trainer(c).train_flops_per_token();
  EXPECT_GT(again, kept);
  EXPECT_LT(again, kept * 4 / 3);  // the head is not computed again
}

TEST(AvailableMemory, TakesNothingFromFilesThatSayNothing) {
  const Folder folder;
  const auto put = [&](const std::string& name, const std::string& text) {
    files::make_folders((folder / name).parent_path());
    files::write_atomically(folder / name, text);
  };
  const double machine = available_memory(folder.path()).bytes;  // no /proc: what the system says
  EXPECT_GT(machine, 1e6);
  put("proc/meminfo", "MemTotal: 9 kB\nMemAvailable: 1000 kB\n");
  EXPECT_EQ(available_memory(folder.path()).bytes, 1000 * 1024);
  put("proc/self/cgroup", "no colon\n4:one colon\n1:memory:/g\n");
  put("sys/fs/cgroup/memory/g/memory.limit_in_bytes", "5000\n");  // and no usage
  EXPECT_EQ(available_memory(folder.path()).bytes, 1000 * 1024);
  put("sys/fs/cgroup/memory/g/memory.usage_in_bytes", "1000\n");
  EXPECT_EQ(available_memory(folder.path()).bytes, 4000);
}

}  // namespace
}  // namespace plumb::lab
