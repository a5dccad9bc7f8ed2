#include "CSCTPShims.h"
