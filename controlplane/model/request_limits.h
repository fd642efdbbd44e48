#pragma once

namespace sallyport::controlplane {

// One request of the people's API.
inline constexpr int kMaxPeopleMessageBytes = 8 << 20;

}  // namespace sallyport::controlplane
