#pragma once

#include <cstddef>

// How much an agent can be told of what it decides by. A snapshot is one message: what did not fit
// would never arrive, and an agent would go on by what it knew before.
namespace sallyport {

// Of a message of the control plane to an agent.
inline constexpr std::size_t kMaxAgentMessageBytes = std::size_t{64} << 20;
// With room for its signature, and for what travels around it.
inline constexpr std::size_t kMaxSnapshotBytes = std::size_t{60} << 20;
// Of one agent's snapshot, its policies, mask profiles and servers: more is not applied. What is
// left is for what nobody applies: keys, pins of tools and the locks that ends of sessions set.
inline constexpr std::size_t kMaxPolicyBytes = std::size_t{32} << 20;
// Of all locks in force, as they are stored.
inline constexpr std::size_t kMaxLockBytes = std::size_t{8} << 20;

}  // namespace sallyport
