// A diverged step says what went wrong in one sentence.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "lab/run/trainer.h"

namespace plumb::lab {
namespace {

TEST(TrainerBlame, NamesStepAndOperatorWithoutASecondHint) {
  RunConfig config;
  config.model.context = 15;
  config.train.batch = 2;
  config.run.eval_rows = 2;
  config.loss.z_loss = 1;
  config.loss.z_target = 1e308;  // beyond f32
  Trainer trainer(config);
  ASSERT_FALSE(trainer.step().finite);
  EXPECT_THAT(trainer.blame(), testing::StartsWith("step 0: [sub] made minus infinity"));
  EXPECT_THAT(trainer.blame(), testing::Not(testing::HasSubstr("hint")));
}

// The square is infinite, its gradient is not.
TEST(TrainerBlame, AZLossThatOverflowsStopsTheStep) {
  RunConfig config;
  config.model.context = 15;
  config.train.batch = 2;
  config.run.eval_rows = 2;
  config.loss.z_loss = 1e-4;
  config.loss.z_target = 1e20;
  Trainer trainer(config);
  ASSERT_FALSE(trainer.step().finite);
  EXPECT_THAT(trainer.blame(), testing::StartsWith("step 0: [square] made infinity at index 0 of its output [2,15]"));
  EXPECT_THAT(trainer.blame(), testing::EndsWith(", in row 0 of the batch"));
}

TEST(TrainerBlame, NamesAParameterThatIsNotFinite) {
  RunConfig config;
  config.model.context = 15;
  config.train.batch = 2;
  config.run.eval_rows = 2;
  Trainer trainer(config);
  for (const auto& s : trainer.arena().slots())
    if (s.parameter->name == "head") trainer.arena().value(s).slice(0, 3, 4).slice(1, 5, 6).fill_(HUGE_VAL);
  ASSERT_FALSE(trainer.step().finite);
  EXPECT_EQ(trainer.blame(), "step 0: head holds infinity at index 197 of its [128,64]");
}

}  // namespace
}  // namespace plumb::lab
