#pragma once

#include <string_view>

namespace sallyport {

// Why every agent refuses a call with these arguments, whatever policy says; empty: none does.
// Static text, as agents say it. `arguments`: UTF-8.
std::string_view WhyNotClear(std::string_view arguments);

}  // namespace sallyport
