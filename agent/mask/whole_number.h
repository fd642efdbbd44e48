#pragma once

#include <string>
#include <string_view>

namespace sallyport::agent {

// The digits of a number that is whole, however it is written (4111.0, 4.111e3); empty: it is not,
// or is too short or too long for a card.
std::string WholeDigits(std::string_view number);

}  // namespace sallyport::agent
