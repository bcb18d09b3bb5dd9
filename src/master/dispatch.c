/* What the master can receive from a worker, and who takes it. */
#include "dispatch.h"

#include "deliver.h"
#include "proc.h"
#include "registry.h"
#include "reload.h"
#include "request.h"
#include "route.h"

const struct chan_ops dispatch_ops = {
    .handlers =
        {
            [MSG_READY] = proc_on_ready,
            [MSG_RELOADED] = reload_on_reloaded,
            [MSG_COMPILE] = reload_on_compile,
            [MSG_SESSION_BIND] = registry_on_session_bind,
            [MSG_SESSION_GONE] = registry_on_session_gone,
            [MSG_SUBMIT] = request_on_submit,
            [MSG_CANCEL] = request_on_cancel,
            [MSG_SEND_TO] = route_on_send_to,
            [MSG_RESULT] = route_on_result,
            [MSG_DELIVER_DONE] = deliver_on_done,
        },
    .closed = proc_on_closed,
};
