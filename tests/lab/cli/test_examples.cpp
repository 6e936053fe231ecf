// Every example's configuration is read by the schema of today, and trains.
#include <gtest/gtest.h>

#include <fstream>

#include "lab/config/read.h"
#include "lab/sweep/plan.h"
#include "tests/lab/run_support.h"

namespace plumb::lab {
namespace {

std::vector<std::string> examples() {
  std::vector<std::string> found;
  for (const auto& e : std::filesystem::recursive_directory_iterator(PLUMB_SOURCE_DIR "/examples"))
    if (e.path().extension() == ".toml") found.push_back(e.path().string());
  std::sort(found.begin(), found.end());
  return found;
}

TEST(Examples, EveryOneIsReadAndTrainsAtATinySize) {
  const test::Folder folder;
  std::ofstream text(folder / "text.txt");
  for (int i = 0; i < 500; ++i) text << "line " << i * i << " of a text\n";
  text.close();
  int trained = 0;
  for (const auto& path : examples()) {
    SCOPED_TRACE(path);
    std::vector<std::string> set{"run.steps=2",    "run.eval_rows=2", "run.sample_tokens=4", "model.width=16",
                                 "model.layers=1", "model.context=7", "train.batch=2"};
    RunConfig config;
    Value root = load_config(path);  // as it stands
    if (root.find("sweep")) {
      EXPECT_GT(plan_sweep(root).members.size(), 1u);
      EXPECT_EQ(test::plumb({"train", path}).code, 1);  // names `plumb sweep`
      root.remove("sweep");
    }
    read(root, config);
    if (config.data.kind == DataKind::text) set.push_back("data.path=" + (folder / "text.txt").string());
    for (const auto& assignment : set) apply_set(root, assignment);
    read(root, config);
    const RunOutcome out = test::start(config, folder / std::to_string(++trained));
    EXPECT_EQ(out.ending, Ending::finished);
    EXPECT_EQ(out.steps, 2);
    EXPECT_GT(out.val_loss, 0);
    EXPECT_TRUE(std::isfinite(out.val_loss));
  }
  EXPECT_GT(trained, 1);
}

}  // namespace
}  // namespace plumb::lab
