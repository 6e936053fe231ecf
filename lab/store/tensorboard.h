// Event files for TensorBoard: scalars and text, written by hand (TFRecord frames around protobuf messages).
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>

#include "lab/store/journal.h"

namespace plumb::store {

class EventWriter {
 public:
  // A new event file in `folder`. With `resumed_at`, TensorBoard forgets what earlier files say of later steps.
  explicit EventWriter(const Path& folder, std::optional<std::int64_t> resumed_at = std::nullopt);

  void scalars(std::int64_t step, std::span<const NamedValue> values);
  void text(std::string_view tag, std::int64_t step, std::string_view markdown);
  const Path& path() const { return path_; }

 private:
  void event(std::string_view fields);  // one record: the wall time and these fields of Event
  Path path_;
  files::Fd fd_;
  std::uint64_t end_ = 0;
};

}  // namespace plumb::store
