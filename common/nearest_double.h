#pragma once

#include <string>
#include <string_view>

namespace sallyport {

// What a reader of doubles makes of a JSON number, as the shortest number that he reads alike: 7 of
// 7.00000000000000000001, 9007199254740992 of 9007199254740993. Both zeros are 0, and what is
// beyond all doubles is 1e309 or -1e309. `number`: of JSON's form.
std::string NearestDouble(std::string_view number);

}  // namespace sallyport
