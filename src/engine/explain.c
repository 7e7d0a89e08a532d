#include "engine/explain.h"

void explain_start(void)
{
}
