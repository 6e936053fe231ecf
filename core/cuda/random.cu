// Random numbers: an element is a pure function of the key and its position.
#include "core/cuda/backend.h"
