#include "CNiceShims.h"
