//! Which webhooks a list shows, and in which order.
//!
//! Owns the query of `GET /api/webhooks`, as AIOZ's clients send it; refuses to know how a webhook is told. Pure.

use serde::Deserialize;

use super::{Moments, Refusal, Webhook};

/// Those of one answer, unless the client says otherwise, and at most.
const LIMITS: (usize, usize) = (25, 100);

pub(super) const QUERY_HINT: &str = "webhooks take `search`, `sort_by` (`created_at`, `name` or `url`), `order_by` (`asc` or \
    `desc`), `offset`, `limit`, and `true` or `false` for `file_received`, `encoding_started`, `partial_finished`, \
    `encoding_finished` and `encoding_failed`";

/// Which webhooks.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ListQuery {
    /// Only those with this somewhere in their name, in capitals or not.
    search: Option<String>,
    #[serde(default)]
    sort_by: Key,
    #[serde(default)]
    order_by: Order,
    /// Without the first so many.
    #[serde(default)]
    offset: u32,
    limit: Option<usize>,
    file_received: Option<bool>,
    encoding_started: Option<bool>,
    partial_finished: Option<bool>,
    encoding_finished: Option<bool>,
    encoding_failed: Option<bool>,
}

#[derive(Clone, Copy, Debug, Default, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Key {
    #[default]
    CreatedAt,
    Name,
    Url,
}

#[derive(Clone, Copy, Debug, Default, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Order {
    #[default]
    Asc,
    Desc,
}

impl ListQuery {
    /// How many of `all` are meant, and those of them that are shown.
    ///
    /// # Errors
    /// A limit out of range.
    pub(super) fn page(&self, mut all: Vec<Webhook>) -> Result<(usize, Vec<Webhook>), Refusal> {
        let (usual, most) = LIMITS;
        let limit = self.limit.unwrap_or(usual);
        if !(1..=most).contains(&limit) {
            let hint = format!("ask for 1 to {most}, and for the rest with `offset`");
            return Err(Refusal::bad_request(format!("`limit={limit}` is out of range"), hint));
        }
        all.retain(|webhook| self.means(webhook));
        match self.sort_by {
            Key::CreatedAt => all.sort_by_key(|webhook| (webhook.made, webhook.id)),
            Key::Name => all.sort_by(|one, other| (&one.title, one.id).cmp(&(&other.title, other.id))),
            Key::Url => all.sort_by(|one, other| (&one.url, one.id).cmp(&(&other.url, other.id))),
        }
        if matches!(self.order_by, Order::Desc) {
            all.reverse();
        }
        let (total, offset) = (all.len(), usize::try_from(self.offset).unwrap_or(usize::MAX));
        Ok((total, all.into_iter().skip(offset).take(limit).collect()))
    }

    fn means(&self, webhook: &Webhook) -> bool {
        let wanted =
            self.search.as_ref().is_none_or(|part| webhook.title.to_lowercase().contains(&part.to_lowercase()));
        let Moments { file_received, encoding_started, partial_finished, encoding_finished, encoding_failed } =
            webhook.moments;
        let asked = [
            (self.file_received, file_received),
            (self.encoding_started, encoding_started),
            (self.partial_finished, partial_finished),
            (self.encoding_finished, encoding_finished),
            (self.encoding_failed, encoding_failed),
        ];
        wanted && asked.into_iter().all(|(asked, is)| asked.is_none_or(|asked| asked == is))
    }
}

#[cfg(test)]
mod tests {
    use axum::extract::Query;
    use uuid::Uuid;

    use super::*;
    use crate::name::Name;
    use crate::time::Wall;

    fn webhook(id: u128, title: &str, made: i64) -> Webhook {
        let moments = Moments { file_received: id % 2 == 0, encoding_failed: true, ..Moments::default() };
        let (id, endpoint) = (Uuid::from_u128(id), Name::new("webhook").unwrap());
        let url = format!("https://{}.example/", title.len());
        Webhook { id, endpoint, title: title.to_owned(), url, moments, made: Wall(made), changed: Wall(made) }
    }

    /// The ids that are shown, and how many are meant.
    fn shown(query: &str) -> Result<(Vec<u128>, usize), String> {
        let query = Query::<ListQuery>::try_from_uri(&format!("/?{query}").parse().unwrap());
        let Query(query) = query.map_err(|rejection| rejection.body_text())?;
        let all = [webhook(1, "Lager Ost", 30), webhook(2, "dock", 10), webhook(3, "Dock west", 20)];
        let (total, page) = query.page(all.into()).map_err(|refusal| refusal.error)?;
        Ok((page.into_iter().map(|webhook| webhook.id.as_u128()).collect(), total))
    }

    #[test]
    fn a_list_is_searched_sorted_and_cut() {
        for (query, ids, total) in [
            ("", vec![2, 3, 1], 3),
            ("search=DOCK", vec![2, 3], 2),
            ("search=&order_by=desc", vec![1, 3, 2], 3),
            ("sort_by=name&order_by=asc", vec![3, 1, 2], 3),
            ("sort_by=url", vec![2, 1, 3], 3),
            ("offset=1&limit=1", vec![3], 3),
            ("offset=4294967295", vec![], 3),
            ("file_received=true", vec![2], 1),
            ("file_received=false&encoding_failed=true", vec![3, 1], 2),
            ("partial_finished=true", vec![], 0),
        ] {
            assert_eq!(shown(query), Ok((ids, total)), "{query}");
        }
    }

    #[test]
    fn what_a_query_can_not_mean_is_refused() {
        for query in [
            "offset=-1",
            "limit=0",
            "limit=101",
            "sort_by=id",
            "order_by=up",
            "file_received=1",
            "page=2",
            "limit=x",
            "offset=4294967296",
        ] {
            assert!(shown(query).is_err(), "{query}");
        }
    }
}
