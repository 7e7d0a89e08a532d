/* parley listen ADDRESS: waits for a client, and lets the operator talk to it. */
#include "command/conversation.h"

int listen_run(const struct arguments *arguments)
{
    return conversation_hold(arguments, true);
}
