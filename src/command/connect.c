/* parley connect ADDRESS: the client's side of a conversation, or with -z the question whether one is
 * possible. */
#include "command/conversation.h"
#include "command/probe.h"

int connect_run(const struct arguments *arguments)
{
    return arguments_given(arguments, "probe") ? probe(arguments) : conversation_hold(arguments, false);
}
