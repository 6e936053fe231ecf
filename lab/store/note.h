// The note that a run leaves as its last event: how it ended.
#pragma once

#include <optional>
#include <string>

namespace plumb::store {

struct Note {
  std::string ending, blame = {}, sample = {};
  std::optional<double> val_loss = {}, entropy_floor = {};
};

std::string write_note(const Note& note);                 // JSON
std::optional<Note> read_note(const std::string& event);  // none: an event of another kind, or damage

}  // namespace plumb::store
