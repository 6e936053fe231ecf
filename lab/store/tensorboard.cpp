// Field numbers are those of tensorflow/core/util/event.proto, framework/summary.proto and framework/tensor.proto.
#include "lab/store/tensorboard.h"

#include <fcntl.h>
#include <unistd.h>

#include <array>
#include <chrono>

#include "core/errors.h"
#include "core/files/digest.h"
#include "lab/store/journal_format.h"

namespace plumb::store {
namespace {

using journal::put;

enum Wire : std::uint32_t { varint = 0, eight_bytes = 1, with_length = 2, four_bytes = 5 };

void put_varint(std::string& out, std::uint64_t value) {
  for (; value >= 0x80; value >>= 7) out += static_cast<char>(value | 0x80);
  out += static_cast<char>(value);
}
void put_key(std::string& out, std::uint32_t field, Wire wire) { put_varint(out, field << 3 | wire); }
void put_number(std::string& out, std::uint32_t field, std::int64_t value) {
  put_key(out, field, varint);
  put_varint(out, static_cast<std::uint64_t>(value));
}
void put_bytes(std::string& out, std::uint32_t field, std::string_view bytes) {
  put_key(out, field, with_length);
  put_varint(out, bytes.size());
  out += bytes;
}

// TFRecord masks its CRCs, so that a record inside a record does not look like one.
std::uint32_t masked_crc(std::string_view bytes) {
  const std::uint32_t crc = files::crc32c(files::as_bytes(bytes));
  return ((crc >> 15) | (crc << 17)) + 0xa282ead8u;
}

std::string host_name() {
  std::array<char, 256> name{};
  gethostname(name.data(), name.size() - 1);
  return name.data();
}

double wall_time() {
  return std::chrono::duration<double>(std::chrono::system_clock::now().time_since_epoch()).count();
}

// An Event with a step and a summary.
std::string summary_at(std::int64_t step, std::string_view summary) {
  std::string fields;
  put_number(fields, 2, step);
  put_bytes(fields, 5, summary);
  return fields;
}

}  // namespace

EventWriter::EventWriter(const Path& folder, std::optional<std::int64_t> resumed_at) {
  for (int serial = 0;; ++serial) {
    path_ = folder / fmt::format("events.out.tfevents.{:010}.{}.{}.{}", static_cast<std::int64_t>(wall_time()),
                                 host_name(), getpid(), serial);
    if (!std::filesystem::exists(path_)) break;
  }
  fd_ = files::open_file(path_, O_WRONLY | O_CREAT | O_EXCL);
  std::string version;
  put_bytes(version, 3, "brain.Event:2");
  event(version);
  if (!resumed_at) return;
  std::string start, fields;
  put_number(start, 1, 1);  // SessionLog.START: events of this step and later ones are void
  put_number(fields, 2, *resumed_at + 1);
  put_bytes(fields, 7, start);
  event(fields);
}

void EventWriter::event(std::string_view fields) {
  std::string message;
  put_key(message, 1, eight_bytes);
  put(message, wall_time());
  message += fields;
  std::string record;
  put(record, static_cast<std::uint64_t>(message.size()));
  put(record, masked_crc(record));
  record += message;
  put(record, masked_crc(message));
  files::write_at(fd_, path_, files::as_bytes(record), end_);
  end_ += record.size();
}

void EventWriter::scalars(std::int64_t step, std::span<const NamedValue> values) {
  std::string summary;
  for (const auto& [name, number] : values) {
    std::string value;
    put_bytes(value, 1, name);
    put_key(value, 2, four_bytes);
    put(value, static_cast<float>(number));
    put_bytes(summary, 1, value);
  }
  event(summary_at(step, summary));
}

void EventWriter::text(std::string_view tag, std::int64_t step, std::string_view markdown) {
  std::string plugin, metadata, dimension, shape, tensor, value, summary;
  put_bytes(plugin, 1, "text");
  put_bytes(metadata, 1, plugin);
  put_number(metadata, 4, 2);  // DATA_CLASS_TENSOR
  put_number(dimension, 1, 1);
  put_bytes(shape, 2, dimension);
  put_number(tensor, 1, 7);  // DT_STRING
  put_bytes(tensor, 2, shape);
  put_bytes(tensor, 8, markdown);
  put_bytes(value, 1, tag);
  put_bytes(value, 8, tensor);
  put_bytes(value, 9, metadata);
  put_bytes(summary, 1, value);
  event(summary_at(step, summary));
}

}  // namespace plumb::store
