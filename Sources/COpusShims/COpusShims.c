#include "COpusShims.h"
