/* The two macros of uthash's utlist.h that py_task.c needs, for a machine that has no uthash. */
#ifndef SMSCD_COMPAT_UTLIST_H
#define SMSCD_COMPAT_UTLIST_H

/* head->prev is the last element; the last one's next is NULL. */
#define DL_APPEND(head, add)                                                                                           \
    do {                                                                                                               \
        if (head) {                                                                                                    \
            (add)->prev = (head)->prev;                                                                                \
            (head)->prev->next = (add);                                                                                \
            (head)->prev = (add);                                                                                      \
        } else {                                                                                                       \
            (head) = (add);                                                                                            \
            (head)->prev = (head);                                                                                     \
        }                                                                                                              \
        (add)->next = NULL;                                                                                            \
    } while (0)

#define DL_DELETE(head, del)                                                                                           \
    do {                                                                                                               \
        if ((del)->prev == (del)) {                                                                                    \
            (head) = NULL;                                                                                             \
        } else if ((del) == (head)) {                                                                                  \
            (del)->next->prev = (del)->prev;                                                                           \
            (head) = (del)->next;                                                                                      \
        } else {                                                                                                       \
            (del)->prev->next = (del)->next;                                                                           \
            if ((del)->next)                                                                                           \
                (del)->next->prev = (del)->prev;                                                                       \
            else                                                                                                       \
                (head)->prev = (del)->prev;                                                                            \
        }                                                                                                              \
    } while (0)

#endif
