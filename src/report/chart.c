#include "report/chart.h"
#include "report/chart_axis.h"
#include "report/chart_frame.h"
#include "report/chart_unit.h"
#include "report/html.h"

enum {
    HEIGHT = 300,    /* px of a picture, with its texts */
    LEFT = 64,       /* of it for the texts of the y axis */
    PHONE_STEPS = 4, /* texts that fit below the picture on a phone; of more every second stays */
    FEW_POINTS = 24, /* every one of them is marked */
    MARKS = 6        /* of a longer line: enough to tell its shape, not so many that they hide it */
};

#define TINY 1e-6 /* what rounding may do to the place of an end */

/* A chart with its axes. */
struct plane {
    const struct chart *chart;
    struct axis x, y;
};

/* ---- where the points are ---- */

static struct chart_point place(const struct plane *plane, struct chart_point point)
{
    double y = is_known(point.y) ? axis_place(&plane->y, point.y) : NAN;
    return (struct chart_point){axis_place(&plane->x, point.x), 1 - y};
}

static bool has_place(struct chart_point placed)
{
    return placed.x > -TINY && placed.x < 1 + TINY && placed.y > -TINY && placed.y < 1 + TINY;
}

static struct plane lay_out(const struct chart *chart)
{
    struct extent x = EXTENT_NONE, y = EXTENT_NONE;
    for (size_t i = 0; i < chart->series_count; i++)
        for (size_t j = 0; j < chart->series[i].count; j++) {
            struct chart_point point = chart->series[i].points[j];
            if (!is_known(point.y) || (chart->y.scale == SCALE_LOGARITHM && point.y <= 0))
                continue;
            extent_take(&x, point.x);
            extent_take(&y, point.y);
        }
    return (struct plane){chart, axis_fit(&chart->x, x, false), axis_fit(&chart->y, y, true)};
}

/* ---- axes ---- */

static void print_x_axis(const struct plane *plane, FILE *out)
{
    char text[UNIT_ROOM];
    for (size_t i = 0; i < plane->x.step_count; i++) {
        double at = 100 * axis_place(&plane->x, plane->x.steps[i]);
        fprintf(out, "<line class=\"tick\" x1=\"%.2f%%\" x2=\"%.2f%%\" y1=\"100%%\" y2=\"100%%\"/>", at, at);
        bool spare = plane->x.step_count > PHONE_STEPS && i % 2 > 0;
        fprintf(out, "<text class=\"under%s\" x=\"%.2f%%\" y=\"100%%\" dy=\"18\">%s</text>\n",
                spare ? " spare" : "", at, axis_text(text, &plane->x, plane->x.steps[i]));
    }
    if (plane->chart->x.label) {
        fputs("<text class=\"label end\" x=\"100%\" y=\"100%\" dy=\"37\">", out);
        html_text(out, plane->chart->x.label);
        fputs("</text>\n", out);
    }
}

static void print_y_axis(const struct plane *plane, FILE *out)
{
    char text[UNIT_ROOM];
    for (size_t i = 0; i < plane->y.step_count; i++) {
        double at = 100 - 100 * axis_place(&plane->y, plane->y.steps[i]);
        fprintf(out, "<line class=\"grid\" x2=\"100%%\" y1=\"%.2f%%\" y2=\"%.2f%%\"/>", at, at);
        fprintf(out, "<text class=\"beside\" x=\"-10\" y=\"%.2f%%\" dy=\"4\">%s</text>\n", at,
                axis_text(text, &plane->y, plane->y.steps[i]));
    }
    fputs("<line class=\"base\" x2=\"100%\" y1=\"100%\" y2=\"100%\"/>\n", out);
    if (plane->chart->y.label) {
        fputs("<text class=\"label\" x=\"0\" y=\"0\" dy=\"-12\">", out);
        html_text(out, plane->chart->y.label);
        fputs("</text>\n", out);
    }
}

static bool is_stretched(const struct chart *chart)
{
    return chart->stretch.name && chart->stretch.to > chart->stretch.from;
}

/* Its name is in the legend, since beside it there may be no room. */
static void print_stretch(const struct plane *plane, FILE *out)
{
    double from = fmax(axis_place(&plane->x, plane->chart->stretch.from), 0);
    double to = fmin(axis_place(&plane->x, plane->chart->stretch.to), 1);
    if (is_stretched(plane->chart) && to > from)
        fprintf(out, "<rect class=\"stretch\" x=\"%.2f%%\" width=\"%.2f%%\" height=\"100%%\"/>\n", 100 * from,
                100 * (to - from));
}

/* ---- series ---- */

/* In a picture of 1000 × 1000 that is stretched to the chart's: a path knows no percent. */
static void print_line(const struct plane *plane, const struct chart_series *series, FILE *out)
{
    bool drawing = false;
    for (size_t i = 0; i < series->count; i++) {
        struct chart_point at = place(plane, series->points[i]);
        if (has_place(at))
            fprintf(out, "%c%.1f %.1f", drawing ? 'L' : 'M', 1000 * at.x, 1000 * at.y);
        drawing = has_place(at);
    }
}

static void print_lines(const struct plane *plane, FILE *out)
{
    fputs("<svg class=\"lines\" viewBox=\"0 0 1000 1000\" preserveAspectRatio=\"none\">\n", out);
    for (size_t i = 0; i < plane->chart->series_count; i++) {
        const struct chart_series *series = &plane->chart->series[i];
        struct looks looks = looks_of(i, series->marks_only);
        if (series->marks_only)
            continue;
        fprintf(out, "<path class=\"line c%u d%u\" d=\"", looks.colour, looks.dashes);
        print_line(plane, series, out);
        fputs("\"/>\n", out);
    }
    fputs("</svg>\n", out);
}

/* Of a long line some points, others than its neighbours' and the one that stands alone between two gaps. */
static bool is_marked(const struct plane *plane, const struct chart_series *series, size_t which,
                      size_t point)
{
    if (series->marks_only || series->count <= FEW_POINTS)
        return true;
    bool alone = (point == 0 || !has_place(place(plane, series->points[point - 1]))) &&
                 (point + 1 == series->count || !has_place(place(plane, series->points[point + 1])));
    size_t distance = series->count / MARKS;
    size_t offset = distance * (2 * which + 1) / (2 * plane->chart->series_count + 1);
    return alone || point % distance == offset % distance;
}

static void print_marks(const struct plane *plane, size_t which, FILE *out)
{
    const struct chart_series *series = &plane->chart->series[which];
    struct looks looks = looks_of(which, series->marks_only);
    char x[UNIT_ROOM], y[UNIT_ROOM];
    for (size_t i = 0; i < series->count; i++) {
        struct chart_point point = series->points[i], at = place(plane, point);
        if (!has_place(at) || !is_marked(plane, series, which, i))
            continue;
        frame_mark(out, looks, at.x, at.y);
        fputs("<title>", out);
        html_text(out, series->name);
        fprintf(out, ": %s at %s</title></svg>\n", unit_text(y, plane->y.unit, point.y),
                axis_text(x, &plane->x, point.x));
    }
}

/* ---- the whole ---- */

static void print_legend(const struct chart *chart, FILE *out)
{
    if (chart->series_count < 2 && !is_stretched(chart))
        return;
    legend_begin(out);
    for (size_t i = 0; i < chart->series_count; i++)
        legend_entry(out, chart->series[i].name, looks_of(i, chart->series[i].marks_only),
                     chart->series[i].marks_only ? KEY_MARK : KEY_LINE);
    if (is_stretched(chart))
        legend_entry(out, chart->stretch.name, looks_of(0, false), KEY_STRETCH);
    legend_end(out);
}

static bool is_empty(const struct plane *plane)
{
    for (size_t i = 0; i < plane->chart->series_count; i++)
        for (size_t j = 0; j < plane->chart->series[i].count; j++)
            if (has_place(place(plane, plane->chart->series[i].points[j])))
                return false;
    return true;
}

static void print_picture(const struct plane *plane, FILE *out)
{
    print_stretch(plane, out);
    print_y_axis(plane, out);
    print_x_axis(plane, out);
    print_lines(plane, out);
    for (size_t i = 0; i < plane->chart->series_count; i++)
        print_marks(plane, i, out);
}

void chart_lines(const struct chart *chart, FILE *out)
{
    const struct frame frame = {chart->title, chart->description, "plot", HEIGHT, LEFT};
    struct plane plane = lay_out(chart);
    frame_begin(&frame, out);
    print_legend(chart, out);
    frame_picture(&frame, out);
    if (is_empty(&plane))
        fputs("<text class=\"nothing\" x=\"50%\" y=\"50%\">nothing was measured</text>\n", out);
    else
        print_picture(&plane, out);
    frame_end(out);
}
