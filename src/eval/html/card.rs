//! One image: its labels as bars, its anchors as pictures.

use std::fmt::{Result, Write as _};

use super::content::{AnchorCard, ExplanationCard, ImageCard, LabelBar};
use super::escape::EscapedText;
use super::thumb;
use crate::encode::image::thumbnail::ThumbnailImage;
use crate::modality::PerModality;

/// Writes the card; `number` makes its heading's id unique on the page.
pub(super) fn write(page: &mut String, number: usize, card: &ImageCard) -> Result {
    let picture = picture(card.thumbnail.as_ref(), &card.name);
    // The column headings are hidden from screen readers, because each row repeats them.
    write!(
        page,
        r#"<article aria-labelledby="image-{number}">
<div class="top">
<div class="picture">{picture}</div>
<div>
<div class="row head"><h2 id="image-{number}">{name}</h2>
<span aria-hidden="true">softmax</span><span aria-hidden="true">similarity</span></div>
"#,
        name = EscapedText(&card.name),
    )?;
    if card.predictions.is_empty() {
        writeln!(page, r#"<p class="none">no prediction</p>"#)?;
    } else {
        write_bars(page, "Labels, best first", &card.predictions)?;
    }
    if let Some(without) = &card.without {
        writeln!(
            page,
            r#"<h3 class="without">Without {}</h3>"#,
            EscapedText(&without.what)
        )?;
        write_bars(page, "Labels without these pairs", &without.predictions)?;
    }
    writeln!(page, "</div>\n</div>")?;
    if let Some(why) = &card.why {
        write_why(page, why)?;
    }
    writeln!(page, "</article>")
}

fn write_bars(page: &mut String, name: &str, bars: &[LabelBar]) -> Result {
    writeln!(page, r#"<ol role="list" class="bars" aria-label="{name}">"#)?;
    bars.iter().try_for_each(|bar| write_bar(page, bar))?;
    writeln!(page, "</ol>")
}

fn write_bar(page: &mut String, bar: &LabelBar) -> Result {
    writeln!(
        page,
        r#"<li class="row"><span class="label" dir="auto">{label}</span>
<span class="score"><span class="hidden">, </span>{score}</span>
<span class="similarity"><span class="hidden">, similarity </span>{similarity}</span>
<span class="bar" aria-hidden="true" style="--share:{width}"></span></li>"#,
        label = EscapedText(&bar.label),
        score = percent(bar.score.into()),
        similarity = number(bar.similarity),
        width = width(bar.score.into()),
    )
}

fn write_why(page: &mut String, why: &ExplanationCard) -> Result {
    let all = why.anchors.iter().chain(&why.against);
    let shares = all.map(|anchor| anchor.contribution_share.abs());
    let strongest = shares.fold(f64::MIN_POSITIVE, f64::max);
    writeln!(page, "<section class=\"why\">")?;
    let label = EscapedText(&why.label);
    if !why.anchors.is_empty() {
        write_anchors(
            page,
            &format!("Anchors for {label}"),
            &why.anchors,
            strongest,
        )?;
    }
    if !why.against.is_empty() {
        write_anchors(
            page,
            &format!("Anchors against {label}"),
            &why.against,
            strongest,
        )?;
    }
    if !why.sum.is_empty() {
        write_sum(page, &why.sum)?;
    }
    writeln!(page, "</section>")
}

fn write_anchors(
    page: &mut String,
    heading: &str,
    anchors: &[AnchorCard],
    strongest: f64,
) -> Result {
    let sum = anchors.iter().map(|anchor| anchor.contribution_share).sum();
    writeln!(
        page,
        "<h3>{heading}</h3>\n<p>together {sum} of all contributions in absolute terms</p>\n<ol role=\"list\">",
        sum = percent(sum),
    )?;
    anchors
        .iter()
        .try_for_each(|anchor| write_anchor(page, anchor, strongest))?;
    writeln!(page, "</ol>")
}

/// The summands of a score; the widths of the bars are relative to the largest.
fn write_sum(page: &mut String, lines: &[(String, f64)]) -> Result {
    let finite = lines.iter().map(|line| line.1.abs());
    let largest = finite.fold(f64::MIN_POSITIVE, f64::max);
    writeln!(page, "<h3>The sum</h3>\n<dl class=\"sum\">")?;
    for (name, amount) in lines {
        writeln!(
            page,
            r#"<div><dt>{name}</dt><dd class="amount{against}" style="--share:{width}">{amount}</dd></div>"#,
            name = EscapedText(name),
            against = if *amount < 0.0 { " against" } else { "" },
            width = width(amount.abs() / largest),
            amount = signed(*amount),
        )?;
    }
    writeln!(page, "</dl>")
}

/// A thumbnail, or its placeholder.
fn picture(thumbnail: Option<&ThumbnailImage>, name: &str) -> String {
    match thumbnail {
        Some(thumbnail) => thumb::tag(thumbnail, name),
        None => r#"<span class="gone">image not available</span>"#.to_owned(),
    }
}

/// The bar of the strongest anchor is as wide as its image, and the others are in proportion.
fn write_anchor(page: &mut String, anchor: &AnchorCard, strongest: f64) -> Result {
    let share = anchor.contribution_share;
    let name = format!("anchor {}", anchor.id);
    let picture = picture(anchor.thumbnail.as_ref(), &name);
    write!(
        page,
        r#"<li><figure>
<div class="picture">{picture}</div>
<figcaption>
<span class="share{against}" style="--share:{width}">{percent}</span>
"#,
        against = if share < 0.0 { " against" } else { "" },
        width = width(share.abs() / strongest),
        percent = percent(share),
    )?;
    let PerModality { image, text } = anchor.similarities.map(|s| number(s as f32));
    writeln!(
        page,
        r#"<p class="numbers">{} · image {image} · text {text}</p>"#,
        signed(anchor.amount)
    )?;
    write_captions(page, &anchor.captions)?;
    write!(page, r#"<p class="origin">{}"#, EscapedText(&anchor.id))?;
    let terms: Vec<_> = [&anchor.source, &anchor.licence]
        .into_iter()
        .flatten()
        .map(|text| EscapedText(text).to_string())
        .collect();
    if !terms.is_empty() {
        write!(page, "<br>{}", terms.join(" · "))?;
    }
    writeln!(page, "</p>\n</figcaption>\n</figure></li>")
}

fn write_captions(page: &mut String, captions: &[String]) -> Result {
    let Some((first, others)) = captions.split_first() else {
        return Ok(());
    };
    writeln!(page, r#"<p dir="auto">{}</p>"#, EscapedText(first))?;
    if others.is_empty() {
        return Ok(());
    }
    let noun = if others.len() == 1 {
        "caption"
    } else {
        "captions"
    };
    writeln!(
        page,
        "<details><summary>{} more {noun}</summary><ul>",
        others.len()
    )?;
    others.iter().try_for_each(|caption| {
        writeln!(page, r#"<li dir="auto">{}</li>"#, EscapedText(caption))
    })?;
    writeln!(page, "</ul></details>")
}

/// A share as a CSS width; 0 for NaN.
fn width(part: f64) -> String {
    let part = if part.is_nan() {
        0.0
    } else {
        part.clamp(0.0, 1.0)
    };
    format!("{:.2}%", part * 100.0)
}

fn percent(share: f64) -> String {
    if share.is_finite() {
        format!("{:.1} %", share * 100.0)
    } else {
        "–".to_owned()
    }
}

fn signed(value: f64) -> String {
    if value.is_finite() {
        format!("{value:+.4}")
    } else {
        "–".to_owned()
    }
}

fn number(value: f32) -> String {
    if value.is_finite() {
        format!("{value:.4}")
    } else {
        "–".to_owned()
    }
}
