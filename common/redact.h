#pragma once

#include <google/protobuf/message.h>

#include <string>

namespace sallyport {

// What a log may say of a message, as one line of JSON: PUBLIC fields as json_printer prints them,
// of a SENSITIVE field its size
// ("<12 bytes>", "<3 items>"), of a SECRET one, or one without a class, only that it is there
// ("<secret>"). Fields that are not set are left out.
std::string RedactedJson(const google::protobuf::Message& message);

}  // namespace sallyport
