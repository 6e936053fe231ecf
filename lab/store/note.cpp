// Notes as JSON objects; what is empty is left out.
#include "lab/store/note.h"

#include "lab/config/value.h"

namespace plumb::store {
namespace {

std::string text(const Value& note, const char* key) {
  const Value* found = note.find(key);
  return found && found->as_text() ? *found->as_text() : std::string();
}

std::optional<double> number(const Value& note, const char* key) {
  const Value* found = note.find(key);
  if (!found) return {};
  if (const auto* i = found->as_integer()) return static_cast<double>(*i);
  return found->as_number() ? std::optional(*found->as_number()) : std::nullopt;
}

}  // namespace

std::string write_note(const Note& note) {
  Value out(Table{{"ending", note.ending, {}}});
  if (!note.blame.empty()) out.set("blame", note.blame);
  if (!note.sample.empty()) out.set("sample", note.sample);
  if (note.val_loss) out.set("val_loss", *note.val_loss);
  if (note.entropy_floor) out.set("entropy_floor", *note.entropy_floor);
  return write_json(out);
}

std::optional<Note> read_note(const std::string& event) {
  const Value note = read_flat_json(event);
  if (text(note, "ending").empty()) return {};
  return Note{.ending = text(note, "ending"),
              .blame = text(note, "blame"),
              .sample = text(note, "sample"),
              .val_loss = number(note, "val_loss"),
              .entropy_floor = number(note, "entropy_floor")};
}

}  // namespace plumb::store
