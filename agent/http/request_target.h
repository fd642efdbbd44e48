#pragma once

#include <string_view>

#include "agent/http/message.h"

// What a request is for, as its target and its Host field say it (RFC 9112, section 3.2).
namespace sallyport::agent {

// Takes a target in origin form (`/every/mcp`), or in absolute form (`http://host:80/every/mcp`),
// into `request`, whose method is there: its target, and of an absolute form its scheme and, as its
// host, its authority. Refuses another form or scheme, a user or a fragment, and an absolute form
// without a path where `*` could be meant.
HttpError TakeTarget(std::string_view target, HttpRequest& request);

// Takes the value of Host behind the target. Refuses one that is no host with or without a port,
// and one that names another than the target does: RFC 9112 lets the target count, but whoever
// stands before us may have gone by the field.
HttpError TakeHost(std::string_view host, HttpRequest& request);

}  // namespace sallyport::agent
