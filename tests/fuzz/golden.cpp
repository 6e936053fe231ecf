// Golden files, as the tests read them.
#include "tests/support/golden.h"

#include "tests/fuzz/fuzz.h"

namespace plumb::fuzz {

void fuzz(std::string_view input) {
  for (const auto& content : golden::read_contents(input)) {
    for (const auto& [name, array] : content.inputs)
      PLUMB_ASSERT(static_cast<std::int64_t>(array.data.size()) == numel(array.shape));
  }
}

std::vector<std::string> seeds() {
  return {
      R"({"format":1,"cases":[{"objective":"sft","case":"a","hyper":{"beta":0.1,"kind":"x","list":[1,"inf"],"on":true},)"
      R"("inputs":{"logits":{"shape":[1,2],"dtype":"f64","data":[0.5,"nan"]},"mask":3},)"
      R"("expected":{"loss":1.5,"metrics":{"m":{"shape":[],"dtype":"i64","data":[2]}},"grads":{}}}]})",
      R"({"cases":[]})"};
}

}  // namespace plumb::fuzz
