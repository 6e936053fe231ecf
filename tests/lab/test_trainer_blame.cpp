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
  EXPECT_THAT(trainer.blame(), testing::StartsWith("step 0: [sub] made infinity"));
  EXPECT_THAT(trainer.blame(), testing::Not(testing::HasSubstr("hint")));
}

}  // namespace
}  // namespace plumb::lab
