#pragma once

#include <string>
#include <string_view>

namespace sallyport::controlplane {

// What turns `before` into `after`, line by line, with three lines of context, under the headings
// `--- FROM` and `+++ TO`. Empty where they are equal. Texts with thousands of lines that all
// differ are shown as one block out, one block in.
std::string UnifiedDiff(std::string_view before, std::string_view after, std::string_view from,
                        std::string_view to);

}  // namespace sallyport::controlplane
