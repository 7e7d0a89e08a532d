#include "report/chart_frame.h"
#include "report/html.h"

enum { LOOKS = 8, RED = LOOKS };

struct looks looks_of(size_t series, bool marks_only)
{
    static const char *const marks[LOOKS] = {
        "M-3.5 0a3.5 3.5 0 1 0 7 0a3.5 3.5 0 1 0-7 0z",                /* a disc */
        "M-3.2-3.2h6.4v6.4h-6.4z",                                     /* a square */
        "M0-4.4L4.2 3H-4.2z",                                          /* a triangle */
        "M0-4.6L4.6 0 0 4.6-4.6 0z",                                   /* a diamond */
        "M0 4.4L4.2-3H-4.2z",                                          /* a triangle on its tip */
        "M-1.3-4.4h2.6v3.1h3.1v2.6h-3.1v3.1h-2.6v-3.1h-3.1v-2.6h3.1z", /* a plus */
        "M-4.4-1.6h8.8v3.2h-8.8z",                                     /* a slab */
        "M-1.6-4.4h3.2v8.8h-3.2z",                                     /* a pillar */
    };
    static const char cross[] = "M-4-4L4 4M4-4L-4 4";
    unsigned colour = series % LOOKS, dashes = (series + series / LOOKS) % LOOKS;
    return marks_only ? (struct looks){RED, 0, cross} : (struct looks){colour, dashes, marks[dashes]};
}

void frame_begin(const struct frame *frame, FILE *out)
{
    fputs("<figure>\n<figcaption><strong>", out);
    html_text(out, frame->title);
    fputs("</strong>", out);
    if (frame->description) {
        fputs(" <span>", out);
        html_prose(out, frame->description);
        fputs("</span>", out);
    }
    fputs("</figcaption>\n", out);
}

void frame_picture(const struct frame *frame, FILE *out)
{
    fprintf(out, "<svg class=\"%s\" role=\"img\" style=\"height:%upx;padding-left:%upx\"><title>",
            frame->kind, frame->height, frame->left);
    html_text(out, frame->title);
    fputs("</title>", out);
    if (frame->description) {
        fputs("<desc>", out);
        html_text(out, frame->description);
        fputs("</desc>", out);
    }
    fputc('\n', out);
}

void frame_end(FILE *out)
{
    fputs("</svg>\n</figure>\n", out);
}

void frame_mark(FILE *out, struct looks looks, double x, double y)
{
    fprintf(out, "<svg class=\"mark c%u\" x=\"%.2f%%\" y=\"%.2f%%\"><path d=\"%s\"/>", looks.colour, 100 * x,
            100 * y, looks.mark);
}

void frame_bar(FILE *out, struct looks looks, double percent, unsigned middle)
{
    fprintf(out, "<line class=\"bar ground c%u\" x2=\"%.2f%%\" y1=\"%u\" y2=\"%u\"/>", looks.colour, percent,
            middle, middle);
    fprintf(out, "<line class=\"bar c%u d%u\" x2=\"%.2f%%\" y1=\"%u\" y2=\"%u\"/>", looks.colour,
            looks.dashes, percent, middle, middle);
}

void legend_begin(FILE *out)
{
    fputs("<ul class=\"legend\">\n", out);
}

static void print_key(FILE *out, struct looks looks, enum key key)
{
    if (key == KEY_STRETCH)
        fputs("<rect class=\"stretch\" width=\"100%\" height=\"100%\"/>", out);
    if (key == KEY_BAR)
        frame_bar(out, looks, 100, 7);
    if (key == KEY_LINE)
        fputs("<line class=\"line\" x2=\"100%\" y1=\"50%\" y2=\"50%\"/>", out);
    if (key == KEY_LINE || key == KEY_MARK) {
        frame_mark(out, looks, 0.5, 0.5);
        fputs("</svg>", out);
    }
}

void legend_entry(FILE *out, const char *name, struct looks looks, enum key key)
{
    fprintf(out, "<li><svg class=\"key c%u d%u\" aria-hidden=\"true\">", looks.colour, looks.dashes);
    print_key(out, looks, key);
    fputs("</svg>", out);
    html_text(out, name);
    fputs("</li>\n", out);
}

void legend_end(FILE *out)
{
    fputs("</ul>\n", out);
}
