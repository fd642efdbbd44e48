#pragma once

#include <cstddef>
#include <string>
#include <string_view>

#include "agent/call/reply.h"

// The heads of answers that are given whole.
namespace sallyport::agent {

// `more_fields`: whole lines.
void AppendOwnHead(std::string& out, const OwnAnswer& answer, bool keep_alive,
                   std::string_view more_fields);
// Of a message of `bytes` bytes.
void AppendMessageHead(std::string& out, const AnswerHead& head, std::size_t bytes, bool keep_alive,
                       std::string_view more_fields);

}  // namespace sallyport::agent
