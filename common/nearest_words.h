#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace sallyport {

// Those of `words` that somebody who typed `word` may have meant, the nearest first, three at most:
// one begins with the other, or a letter or two differ.
std::vector<std::string> NearestWords(std::string_view word, const std::vector<std::string>& words);

// `; did you mean sessions or version?`, to follow a complaint about `word`. Empty: none is near.
std::string DidYouMean(std::string_view word, const std::vector<std::string>& words);

}  // namespace sallyport
