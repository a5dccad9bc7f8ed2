#include "CVPXShims.h"
