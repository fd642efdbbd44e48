#pragma once

#include <memory>
#include <string>
#include <utility>

#include "agent/mcp/json_scan.h"
#include "agent/mcp/message.h"

namespace sallyport::agent {

// Masked messages of tests of what comes behind the masker.
struct MaskPass {};

// A message in which nothing was found.
inline MaskedRequest Clean(std::string json) {
  auto message = ScanClientMessage(std::move(json));
  if (!message.ok()) std::abort();
  return MaskedRequest(MaskPass{}, std::make_shared<const ClientMessage>(*std::move(message)));
}

// One in which something was.
inline MaskedRequest Masked(std::string json, ShownRequest::Masked masked) {
  auto message = ScanClientMessage(std::move(json));
  if (!message.ok()) std::abort();
  return MaskedRequest(MaskPass{}, std::make_shared<const ClientMessage>(*std::move(message)),
                       std::move(masked));
}

inline ShownText Shown(std::string text) { return ShownText(MaskPass{}, std::move(text)); }

}  // namespace sallyport::agent
