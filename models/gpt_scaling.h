// How a parametrization meets the transformer: its base model, its attention, and what does not go together.
#pragma once

#include <optional>

#include "models/gpt.h"

namespace plumb::models {

GptOptions base_of(GptOptions o);                               // the model of base width, as it is without a rule
std::optional<double> attention_scale_of(const GptOptions& o);  // where the rule decides it, and not the options

// What bounds of single options cannot say; the keys are those of a configuration, the first is complained of.
struct ScalingRule {
  std::vector<std::string> keys;
  Complaint (*complaint)(const GptOptions&);
};
const std::vector<ScalingRule>& scaling_rules();
void require_fitting_scaling(const GptOptions& o);  // UserError with the first complaint

}  // namespace plumb::models
