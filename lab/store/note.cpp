// Notes as JSON objects; what is empty is left out.
#include "lab/store/note.h"

#include <nlohmann/json.hpp>

namespace plumb::store {
namespace {

using nlohmann::json;

std::string text(const json& note, const char* key) {
  const auto found = note.find(key);
  return found != note.end() && found->is_string() ? found->get<std::string>() : "";
}

std::optional<double> number(const json& note, const char* key) {
  const auto found = note.find(key);
  return found != note.end() && found->is_number() ? std::optional(found->get<double>()) : std::nullopt;
}

}  // namespace

std::string write_note(const Note& note) {
  json out{{"ending", note.ending}};
  if (!note.blame.empty()) out["blame"] = note.blame;
  if (!note.sample.empty()) out["sample"] = note.sample;
  if (note.val_loss) out["val_loss"] = *note.val_loss;
  if (note.entropy_floor) out["entropy_floor"] = *note.entropy_floor;
  return out.dump(-1, ' ', false, json::error_handler_t::replace);  // a sample of bytes may be no UTF-8
}

std::optional<Note> read_note(const std::string& event) {
  const json note = json::parse(event, nullptr, false);
  if (!note.is_object() || text(note, "ending").empty()) return {};
  return Note{.ending = text(note, "ending"),
              .blame = text(note, "blame"),
              .sample = text(note, "sample"),
              .val_loss = number(note, "val_loss"),
              .entropy_floor = number(note, "entropy_floor")};
}

}  // namespace plumb::store
