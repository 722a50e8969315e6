"""About: how it works, which model answers and how wrong it is, limits, privacy."""

from functools import cache
from importlib import resources

import streamlit as st

from apps.dashboard import diagram, look, model_charts
from apps.dashboard.privacy import promises
from apps.dashboard.serve import max_file_mb
from apps.dashboard.views.upload_intake import most_files
from apps.dashboard.wiring import current
from contracts.limits import MAX_FRAME_BYTES, MAX_UPLOAD_BYTES, MIB
from contracts.settings import Settings
from contracts.version import VERSION
from model import preset_figures
from model.manifest import PresetManifest, load_preset

HOW = """
1. A webcam, a camera, a video file or an upload gives **pictures**; each goes to a message broker (Apache Kafka) with
   the time it was taken.
2. A **processor** finds the faces, turns each upright and estimates its age with a neural network, several pictures at
   once. It follows every person through the pictures, so that many guesses become one better one.
3. The **answer** goes back to the broker: box, age and an interval for every face, or the reason why there is no age.
4. These pages, the store and any other program read the same answers.

A live picture that is not answered within half a second is dropped, and counted: what you see is never old. A photo is
never dropped.
"""


UNKNOWN_TRAINING = (
    "No training curves come with this model: its author has not published how its error fell, nor how old the faces "
    "were that it learned from."
)


def page() -> None:
    """Draw the page."""
    settings = current().settings
    manifest = load_preset(settings.model.preset)
    st.title("About")
    st.warning(f"**{look.CARE}**", icon=":material/gavel:")
    st.markdown(f"Mairror guesses how old a face looks, live. Version {VERSION}.")
    st.subheader("How it works")
    diagram.show()
    st.markdown(HOW)
    st.subheader("The model")
    _model(manifest)
    _figures(manifest.name)
    with st.expander("The whole model card"):
        st.markdown(card(manifest.name))
    st.subheader("Limits")
    st.markdown("\n".join(f"- {limit}" for limit in limits(settings)))
    st.subheader("Privacy")
    st.markdown("\n".join(f"- {promise.sentence}" for promise in promises(settings.model.heads)))


def _model(manifest: PresetManifest) -> None:
    st.markdown(manifest.terms)
    interval = manifest.interval
    st.table(
        {
            "preset": f"{manifest.name} {manifest.version}",
            "origin": manifest.origin,
            "code": manifest.licences.code,
            "weights": manifest.licences.weights,
            "trained on": manifest.licences.training_data,
            "interval": f"made to hold {interval.coverage:.0%} of true ages; measured on {interval.calibrated_on}",
        }
    )
    st.dataframe(
        [
            {
                "measured on": row.data,
                "faces": row.faces,
                "mean error, years": round(row.mae, 2),
                "bias, years": round(row.bias, 2),
                "interval holds": f"{row.coverage:.1%}",
                "mean width, years": round(row.mean_width, 1),
            }
            for row in manifest.measured
        ],
        hide_index=True,
        width="stretch",
    )


def _figures(preset: str) -> None:
    """What the preset brings along: errors by decade, training, training data; or a sentence that says it does not."""
    if found := preset_figures.decades(preset):
        st.markdown(
            f"##### How wrong it is, by age\n\nMeasured on {found.data}; as far as is known, not trained on them."
        )
        left, right = st.columns(2)
        words = "; ".join(f"{row['age']}: {row['mean error']} years" for row in model_charts.decade_rows(found))
        left.altair_chart(model_charts.error_by_decade(found), width="stretch", alt=f"Mean error by true age. {words}")
        words = "; ".join(f"{row['age']}: {row['faces']}" for row in model_charts.decade_rows(found))
        right.altair_chart(model_charts.faces_by_decade(found), width="stretch", alt=f"Faces measured by age. {words}")
        with st.expander("These charts as a table"):
            st.table(model_charts.decade_rows(found))
    _training(preset)


def _training(preset: str) -> None:
    st.markdown("##### How it was trained")
    curves, data = preset_figures.curves(preset), preset_figures.training_data(preset)
    if curves is None and data is None:
        st.markdown(UNKNOWN_TRAINING)
        return
    left, right = st.columns(2)
    if curves is not None:
        words = f"It ends at {curves.validation_mae[-1]:.1f} years on faces it never saw."
        left.altair_chart(model_charts.training(curves), width="stretch", alt=f"Error while it was trained. {words}")
    if data is not None:
        words = f"{sum(sum(counts.values()) for counts in data.sets.values()):,} faces of {len(data.sets)} data sets."
        right.altair_chart(model_charts.data(data), width="stretch", alt=f"Faces it was trained on. {words}")
    with st.expander("These charts as a table "):
        if curves is not None:
            st.table(model_charts.training_rows(curves))
        if data is not None:
            st.table(model_charts.data_rows(data))


@cache
def card(preset: str) -> str:
    """The model card of a preset, its title one step smaller."""
    text = resources.files("model.presets").joinpath(preset, "README.md").read_text(encoding="utf-8")
    return text.replace("\n## ", "\n#### ").replace("# ", "### ", 1)


def limits(settings: Settings) -> list[str]:
    """What this installation takes, in numbers."""
    return [
        f"Uploads: {most_files(settings)} pictures in one go, {max_file_mb(settings)} MB each; "
        f"a picture travels as JPEG of at most {MAX_UPLOAD_BYTES // MIB} MiB.",
        f"Live: at most {settings.producer.max_fps:.0f} pictures a second and stream, {MAX_FRAME_BYTES // MIB} MiB "
        f"each; one that is not answered within {settings.processor.budget_ms:.0f} ms is dropped, and counted.",
        f"Kept: minutes and people of the history {settings.mongo.history_days:g} days, answers to single live "
        f"pictures {settings.mongo.frame_minutes:g} minutes, answers to photos {settings.mongo.upload_hours:g} hours.",
        f"Faces smaller than {settings.model.min_face_px} pixels, blurred, or turned further than "
        f"{settings.model.max_yaw:.0f}° get no age.",
    ]
