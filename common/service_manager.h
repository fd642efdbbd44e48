#pragma once

#include <string_view>

namespace sallyport {

// Tells the service manager that started this program (systemd, Type=notify) that it is ready, and
// in a few words what it does: what is ordered after it starts now. Nothing where nobody wants to
// know
// ($NOTIFY_SOCKET is unset); a manager that cannot be told is no reason not to serve.
void TellReady(std::string_view status);

}  // namespace sallyport
