package overload

// LeastLimit is leastLimit.
var LeastLimit = leastLimit
