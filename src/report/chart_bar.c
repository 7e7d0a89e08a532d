#include "base/escape.h"
#include "report/chart.h"
#include "report/chart_axis.h"
#include "report/chart_frame.h"
#include "report/chart_unit.h"
#include "report/html.h"
#include <stdint.h>
#include <string.h>

enum {
    THICK = 14,       /* px of a bar; html_style.c has the same */
    PITCH = 18,       /* from a bar to the next of its row */
    ROW_GAP = 10,     /* between rows */
    NAME_HEIGHT = 18, /* of a name that stands above its bars */
    LETTER = 7,       /* px, about, of a letter */
    SHORT_NAME = 20,  /* letters that fit beside the bars on a phone */
    LONG_NAME = 44,   /* letters that fit above them; the rest is left out */
    NAME_ROOM = 256
};

/* A chart, how long its bars may become, and where the names are. */
struct layout {
    const struct bar_chart *chart;
    double most;
    size_t longest; /* name, in letters */
    bool above;     /* the names are above their bars, not beside them */
};

/* How wide the letter is that a byte of UTF-8 begins: those beyond ASCII may take two places. */
static size_t width_of(char byte)
{
    return (byte & 0xc0) == 0x80 ? 0 : byte & 0x80 ? 2 : 1;
}

/* The name made harmless, as much of it as fits; returns its width. */
static size_t fit_name(char text[NAME_ROOM], const char *name)
{
    size_t length = escape_bytes(text, NAME_ROOM - 4, name, strlen(name), "", NULL);
    size_t width = 0, whole = 0;
    for (size_t i = 0; i < length; i++) {
        if ((width += width_of(text[i])) > LONG_NAME) {
            snprintf(text + whole, NAME_ROOM - whole, "…");
            return LONG_NAME;
        }
        if (width < LONG_NAME && width_of(text[i + 1]) > 0)
            whole = i + 1;
    }
    return width;
}

static double longest_bar(const struct bar_chart *chart)
{
    struct extent values = {0, chart->most};
    for (size_t i = 0; i < chart->series_count; i++)
        for (size_t j = 0; j < chart->row_count; j++) {
            extent_take(&values, chart->series[i].bars[j].value);
            extent_take(&values, chart->series[i].bars[j].most);
        }
    return values.most > 0 ? values.most : 1;
}

static struct layout lay_out(const struct bar_chart *chart)
{
    struct layout layout = {.chart = chart, .most = longest_bar(chart)};
    for (size_t i = 0; i < chart->row_count; i++) {
        char text[NAME_ROOM];
        size_t width = fit_name(text, chart->rows[i]);
        layout.longest = width > layout.longest ? width : layout.longest;
    }
    layout.above = layout.longest > SHORT_NAME;
    return layout;
}

static unsigned row_height(const struct layout *layout)
{
    return (unsigned)layout->chart->series_count * PITCH + ROW_GAP + (layout->above ? NAME_HEIGHT : 0);
}

static void print_name(const struct layout *layout, const char *name, unsigned top, FILE *out)
{
    char text[NAME_ROOM];
    fit_name(text, name);
    if (layout->above)
        fprintf(out, "<text class=\"name\" x=\"0\" y=\"%u\">", top + 11);
    else
        fprintf(out, "<text class=\"beside name\" x=\"-12\" y=\"%u\">",
                top + (unsigned)layout->chart->series_count * PITCH / 2 + 2);
    html_text(out, text);
    fputs("</text>\n", out);
}

static void print_stroke(const char *class, const double x[2], const unsigned y[2], FILE *out)
{
    fprintf(out, "<line class=\"%s\" x1=\"%.2f%%\" x2=\"%.2f%%\" y1=\"%u\" y2=\"%u\"/>", class, x[0], x[1],
            y[0], y[1]);
}

/* How far apart the measurements were: a line from the least to the most with a stroke at either end, on a
 * halo that keeps it apart from the bar. */
static void print_whisker(const struct layout *layout, const struct chart_bar *bar, unsigned middle,
                          FILE *out)
{
    static const char *const classes[] = {"halo", "whisker"};
    double least = 100 * bar->least / layout->most, most = 100 * bar->most / layout->most;
    for (size_t i = 0; i < 2; i++) {
        print_stroke(classes[i], (double[]){least, most}, (unsigned[]){middle, middle}, out);
        print_stroke(classes[i], (double[]){least, least}, (unsigned[]){middle - 4, middle + 4}, out);
        print_stroke(classes[i], (double[]){most, most}, (unsigned[]){middle - 4, middle + 4}, out);
    }
}

static void print_bar(const struct layout *layout, size_t series, const struct chart_bar *bar, unsigned top,
                      FILE *out)
{
    char text[UNIT_ROOM];
    unsigned middle = top + THICK / 2;
    if (!is_known(bar->value)) {
        fprintf(out, "<text class=\"unknown\" x=\"6\" y=\"%u\">not known</text>\n", middle + 4);
        return;
    }
    bool ranges = is_known(bar->least) && is_known(bar->most) && bar->most > bar->least;
    double end = 100 * (ranges && bar->most > bar->value ? bar->most : bar->value) / layout->most;
    frame_bar(out, looks_of(series, false), 100 * bar->value / layout->most, middle);
    if (ranges)
        print_whisker(layout, bar, middle, out);
    fprintf(out, "<text class=\"value\" x=\"%.2f%%\" y=\"%u\" dx=\"8\">%s</text>\n", end, middle + 4,
            unit_text(text, layout->chart->unit, bar->value));
}

static void print_row(const struct layout *layout, size_t row, unsigned top, FILE *out)
{
    print_name(layout, layout->chart->rows[row], top, out);
    top += layout->above ? NAME_HEIGHT : 0;
    for (size_t i = 0; i < layout->chart->series_count; i++)
        print_bar(layout, i, &layout->chart->series[i].bars[row], top + (unsigned)i * PITCH, out);
}

static void print_legend(const struct bar_chart *chart, FILE *out)
{
    legend_begin(out);
    for (size_t i = 0; i < chart->series_count; i++)
        legend_entry(out, chart->series[i].name, looks_of(i, false), KEY_BAR);
    legend_end(out);
}

void chart_bars(const struct bar_chart *chart, FILE *out)
{
    struct layout layout = lay_out(chart);
    struct frame frame = {.title = chart->title, .description = chart->description, .kind = "bars"};
    frame.height = (unsigned)chart->row_count * row_height(&layout);
    frame.left = layout.above ? 0 : (unsigned)layout.longest * LETTER + 12;
    frame_begin(&frame, out);
    if (chart->series_count > 1)
        print_legend(chart, out);
    frame_picture(&frame, out);
    for (size_t i = 0; i < chart->row_count; i++)
        print_row(&layout, i, (unsigned)i * row_height(&layout) + ROW_GAP / 2, out);
    if (!layout.above)
        fputs("<line class=\"base\" y2=\"100%\"/>\n", out);
    frame_end(out);
}
